//! Floor 0, the words: identifiers, money, time, quantities and the schedule of a quantity over
//! time.
//!
//! Knows arithmetic and spelling. Knows no rule of the market, no database, no HTTP and no clock.

pub mod code;
pub mod country;
pub mod id;
pub mod limits;
pub mod money;
pub mod month;
pub mod role;
pub mod schedule;
pub mod time;

pub use code::{Code, GroupCode, RegionCode, SkuCode};
pub use country::{Country, Segment, Workload};
pub use money::{Money, Price, Worth};
pub use month::Month;
pub use role::{Right, Role};
pub use schedule::Schedule;
pub use time::{Micros, Minute, Window};

/// A number of GPUs. Always a multiple of the SKU's lot once an order or listing was admitted.
pub type Gpus = u32;

/// Hundredths of a percent; 10,000 is the whole.
pub type BasisPoints = u32;
