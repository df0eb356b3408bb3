//! The revenue-bearing record of a match: who delivers what to whom, when, on which frozen terms.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::matching::Draw;
use super::program::FrozenProgram;
use crate::model::id::{ContractId, LineId, OrderId, OrgId, PoolId, ProgramId};
use crate::model::{
    BasisPoints, Gpus, Micros, Minute, Money, Price, RegionCode, SkuCode, Window, Workload, Worth,
};
use crate::words;

words! {
    /// `scheduled -> active -> completed`; `scheduled -> cancelled`; `scheduled|active -> terminated`.
    ContractState {
        Scheduled = "scheduled",
        Active = "active",
        Completed = "completed",
        Cancelled = "cancelled",
        Terminated = "terminated",
    }
}

/// What a contract was made under. Never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    pub platform_fee: BasisPoints,
    pub cancellation_fee: BasisPoints,
    pub net_days: u32,
    /// The programs its draws are supported under.
    pub programs: Vec<Arc<FrozenProgram>>,
}

/// What a program's guarantor stands behind because of one contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commitment {
    pub program: ProgramId,
    /// The value of the contract's draws under that program.
    pub supported: Money,
    /// The guaranteed part of it.
    pub committed: Money,
}

/// A match, recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contract {
    pub id: ContractId,
    pub order: OrderId,
    pub customer: OrgId,
    /// The credit line that carries it.
    pub line: LineId,
    pub provider: OrgId,
    pub pool: PoolId,
    pub sku: SkuCode,
    pub region: RegionCode,
    pub gpus: Gpus,
    pub window: Window,
    /// The starts the order would have accepted: room to move the block before it is firm.
    pub earliest: Minute,
    pub latest: Minute,
    /// The exact worth of all allocations.
    pub worth: Worth,
    /// `worth`, floored once: what the customer will be charged for full delivery.
    pub value: Money,
    pub average: Price,
    pub allocations: Vec<Draw>,
    pub terms: Terms,
    pub commitments: Vec<Commitment>,
    pub state: ContractState,
    /// Value delivered so far; the rest of `value` is held on the line.
    pub accrued: Money,
    pub accrued_to: Minute,
    pub workload: Option<Workload>,
    pub created_at: Micros,
    pub changed_at: Micros,
}

/// A contract in one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContractBrief {
    pub id: ContractId,
    pub gpus: Gpus,
    pub window: Window,
    pub state: ContractState,
}

/// Scheduled and active contracts.
#[derive(Debug, Default)]
pub struct Contracts {
    pub(super) live: BTreeMap<ContractId, Contract>,
}
