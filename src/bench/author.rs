//! Who writes the requests of a load: the customers of a fresh market with their keys in the clear,
//! and orders in the API's words. Knows the market's shapes; sends nothing.

use sha2::{Digest as _, Sha256};

use super::Trouble;
use super::clerk::Clerk;
use super::market::{Demand, Market, Reach, Shape, Starts};
use super::peer::Listings;
use crate::engine::order::{Ask, Start};
use crate::http::secret::{Purpose, Secret};
use crate::model::Minute;
use crate::sequencer::{Clock, Written};

const CUSTOMERS: usize = 128;
const DEMAND: Demand = Demand { starts: Starts::Fixed, reach: Reach::Region, size: None };

/// What the requests are aimed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aim {
    /// Everybody wants the same listing.
    Hot,
    /// A thousand listings in a hundred pools; an order looks at a hundred of them.
    Spread,
}

impl Aim {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hot => "one hot listing",
            Self::Spread => "1,000 listings",
        }
    }

    const fn shape(self) -> Shape {
        match self {
            Self::Hot => Shape {
                pools: 1,
                listings_per_pool: 1,
                gpus_per_listing: 1_600_000,
                supported: false,
            },
            Self::Spread => Shape {
                pools: 100,
                listings_per_pool: 10,
                gpus_per_listing: 8_000,
                supported: false,
            },
        }
    }

    /// As many for a peer.
    pub const fn listings(self) -> Listings {
        match self {
            Self::Hot => Listings(1),
            Self::Spread => Listings(1_000),
        }
    }
}

/// Makes requests: the customers' keys in the clear, and orders of a market.
pub struct Author {
    secrets: Vec<String>,
    pub market: Market,
    sent: u64,
}

impl Author {
    /// Customers of a fresh market.
    pub fn new(aim: Aim) -> Result<Self, Trouble> {
        let secrets: Vec<Secret> =
            (0..CUSTOMERS).map(|_| Secret::fresh(Purpose::LiveKey)).collect();
        let hashes: Vec<[u8; 32]> = secrets.iter().map(Secret::hash).collect();
        let clerk = Clerk::new(Clock::System.now(), |_, _, _| Written {
            status: 201,
            headers: String::new(),
            body: Vec::new(),
        });
        let market = Market::open(clerk, aim.shape(), |customer| hashes[customer])?;
        let secrets = secrets.into_iter().map(Secret::reveal).collect();
        Ok(Self { secrets, market, sent: 0 })
    }

    /// So many requests that were never made before.
    pub fn requests(&mut self, count: usize) -> Vec<Vec<u8>> {
        (0..count).map(|_| self.request()).collect()
    }

    /// The digests of the customers' keys.
    pub fn hashes(&self) -> Vec<[u8; 32]> {
        let digest = |secret: &String| Sha256::digest(secret.as_bytes()).into();
        self.secrets.iter().map(digest).collect()
    }

    /// As many of one customer.
    pub fn requests_of(&mut self, who: usize, count: usize) -> Vec<Vec<u8>> {
        (0..count).map(|_| self.request_of(who)).collect()
    }

    fn request(&mut self) -> Vec<u8> {
        let who = usize::try_from(self.sent + 1).expect("a 64-bit length") % self.secrets.len();
        self.request_of(who)
    }

    fn request_of(&mut self, who: usize) -> Vec<u8> {
        self.sent += 1;
        let (_, ask) = self.market.next_order(DEMAND);
        let body = body(&ask);
        let (secret, number, length) = (&self.secrets[who], self.sent, body.len());
        format!(
            "POST /v1/orders HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {secret}\r\n\
             Idempotency-Key: bench-{number}\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        )
        .into_bytes()
    }
}

/// An order in the API's words.
fn body(ask: &Ask) -> String {
    let start: Minute = match ask.start {
        Start::At(start) => start,
        Start::Now | Start::Between { .. } => unreachable!("these orders have a fixed start"),
    };
    serde_json::json!({
        "sku": ask.skus[0],
        "regions": ask.regions,
        "gpus": ask.gpus,
        "start_at": start.to_string(),
        "duration_hours": ask.minutes / 60,
        "limit_price_per_gpu_hour": ask.limit.map(|limit| limit.to_string()),
    })
    .to_string()
}
