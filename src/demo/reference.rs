//! The reference data set: products, places, providers with their factories, pools, phases and
//! offers.
//!
//! What is published is the capacity of Sharon AI (40,000 GB300, 72 MW, Australia) and of Firmus
//! (up to 170,000 GPUs, 360 MW, Batam, the first quarter of 2027 to early 2028). How it is cut
//! into pools and phases, every price and every other name is made up for the demonstration.
//! Tables only; no code runs.

use super::calendar::When;
use crate::engine::capacity::FactoryState;
use crate::model::{Gpus, Segment};

/// A GPU product and the price around which it is offered.
#[derive(Debug)]
pub struct ProductPlan {
    pub code: &'static str,
    pub gpu_model: &'static str,
    pub memory_gib: u32,
    pub lot: Gpus,
    pub domain: Gpus,
    pub interconnect: &'static str,
    /// With its share of the rack and of the cooling.
    pub watts: u32,
    pub ask: &'static str,
}

/// A place a customer can ask for.
#[derive(Debug)]
pub struct PlacePlan {
    pub code: &'static str,
    pub name: &'static str,
    pub country: &'static str,
}

/// A provider and its factories.
#[derive(Debug)]
pub struct ProviderPlan {
    pub name: &'static str,
    pub country: &'static str,
    pub domain: &'static str,
    /// Whether the vendor's program supports its capacity.
    pub supported: bool,
    pub sites: &'static [SitePlan],
}

/// A factory and its pools.
#[derive(Debug)]
pub struct SitePlan {
    pub name: &'static str,
    pub region: &'static str,
    pub power_kw: u32,
    pub state: FactoryState,
    pub pools: &'static [PoolPlan],
}

/// The GPUs of one product in a factory: when they come and how they are offered.
#[derive(Debug)]
pub struct PoolPlan {
    pub sku: &'static str,
    pub phases: &'static [(Gpus, When)],
    /// What of each phase is offered here. The rest belongs to customers from before the market.
    pub offers: &'static [OfferPlan],
}

/// A part of each phase, at a price, for orders within limits. Zero means no limit.
#[derive(Debug)]
pub struct OfferPlan {
    /// Percent of the phase.
    pub percent: u32,
    pub price: &'static str,
    pub min_gpus: Gpus,
    pub max_gpus: Gpus,
    pub min_hours: u32,
    pub notice_hours: u32,
    /// Nobody else sees it; empty means everyone.
    pub segments: &'static [Segment],
}

/// For everyone, at the list price.
const fn open(percent: u32, price: &'static str) -> OfferPlan {
    OfferPlan {
        percent,
        price,
        min_gpus: 0,
        max_gpus: 8_192,
        min_hours: 0,
        notice_hours: 0,
        segments: &[],
    }
}

/// Cheaper, for blocks of two days and more that are ordered ahead.
const fn planned(percent: u32, price: &'static str) -> OfferPlan {
    OfferPlan { min_gpus: 256, min_hours: 48, notice_hours: 72, ..open(percent, price) }
}

/// The cheapest, set aside for those who start.
const fn fostering(percent: u32, price: &'static str) -> OfferPlan {
    const WHO: &[Segment] = &[Segment::Startup, Segment::Research, Segment::RegionalAi];
    OfferPlan { max_gpus: 1_024, segments: WHO, ..open(percent, price) }
}

pub const PRODUCTS: [ProductPlan; 5] = [
    ProductPlan {
        code: "h200-hgx8",
        gpu_model: "NVIDIA H200",
        memory_gib: 141,
        lot: 8,
        domain: 8,
        interconnect: "NVLink 4, 400 Gb/s InfiniBand",
        watts: 1_300,
        ask: "2.25",
    },
    ProductPlan {
        code: "b300-hgx8",
        gpu_model: "NVIDIA B300",
        memory_gib: 288,
        lot: 8,
        domain: 8,
        interconnect: "NVLink 5, 800 Gb/s InfiniBand",
        watts: 1_850,
        ask: "3.15",
    },
    ProductPlan {
        code: "gb200-nvl72",
        gpu_model: "NVIDIA GB200",
        memory_gib: 186,
        lot: 4,
        domain: 72,
        interconnect: "NVLink 5 NVL72, 400 Gb/s InfiniBand",
        watts: 1_700,
        ask: "2.85",
    },
    ProductPlan {
        code: "gb300-nvl72",
        gpu_model: "NVIDIA GB300",
        memory_gib: 288,
        lot: 4,
        domain: 72,
        interconnect: "NVLink 5 NVL72, 800 Gb/s InfiniBand",
        watts: 1_800,
        ask: "3.45",
    },
    ProductPlan {
        code: "vr200-nvl144",
        gpu_model: "NVIDIA VR200",
        memory_gib: 144,
        lot: 8,
        domain: 144,
        interconnect: "NVLink 6 NVL144, 1.6 Tb/s InfiniBand",
        watts: 2_000,
        ask: "4.80",
    },
];

pub const PLACES: [PlacePlan; 4] = [
    PlacePlan { code: "au-sydney", name: "Sydney, Australia", country: "AU" },
    PlacePlan { code: "id-batam", name: "Batam, Indonesia", country: "ID" },
    PlacePlan { code: "no-oslo", name: "Oslo, Norway", country: "NO" },
    PlacePlan { code: "us-iowa", name: "Iowa, United States", country: "US" },
];

pub const PROVIDERS: [ProviderPlan; 4] = [
    ProviderPlan {
        name: "Sharon AI",
        country: "AU",
        domain: "sharon-ai.example",
        supported: true,
        sites: &[SHARON],
    },
    ProviderPlan {
        name: "Firmus",
        country: "ID",
        domain: "firmus.example",
        supported: true,
        sites: &[BATAM_ONE, BATAM_TWO, BATAM_THREE],
    },
    ProviderPlan {
        name: "Fjordlight Compute",
        country: "NO",
        domain: "fjordlight.example",
        supported: false,
        sites: &[OSLO],
    },
    ProviderPlan {
        name: "Prairie Grid Cloud",
        country: "US",
        domain: "prairie-grid.example",
        supported: false,
        sites: &[IOWA],
    },
];

const SHARON: SitePlan = SitePlan {
    name: "Sharon AI Sydney",
    region: "au-sydney",
    power_kw: 72_000,
    state: FactoryState::Energized,
    pools: &[PoolPlan {
        sku: "gb300-nvl72",
        phases: &[(12_000, When::Opening), (12_000, When::InDays(45)), (16_000, When::InDays(120))],
        offers: &[fostering(4, "2.95"), planned(12, "3.15"), open(14, "3.40"), open(8, "3.80")],
    }],
};

const BATAM_ONE: SitePlan = SitePlan {
    name: "Batam DSX 1",
    region: "id-batam",
    power_kw: 120_000,
    state: FactoryState::Building,
    pools: &[
        PoolPlan {
            sku: "gb200-nvl72",
            phases: &[(9_000, When::On(2027, 2, 1)), (9_000, When::On(2027, 3, 15))],
            offers: &[fostering(4, "2.35"), planned(12, "2.55"), open(12, "2.80")],
        },
        PoolPlan {
            sku: "gb300-nvl72",
            phases: &[
                (16_000, When::On(2027, 2, 15)),
                (16_800, When::On(2027, 4, 15)),
                (16_800, When::On(2027, 6, 15)),
            ],
            offers: &[planned(10, "3.05"), open(10, "3.30"), open(6, "3.70")],
        },
    ],
};

const BATAM_TWO: SitePlan = SitePlan {
    name: "Batam DSX 2",
    region: "id-batam",
    power_kw: 120_000,
    state: FactoryState::Planned,
    pools: &[
        PoolPlan {
            sku: "gb300-nvl72",
            phases: &[(10_200, When::On(2027, 7, 15)), (10_200, When::On(2027, 9, 1))],
            offers: &[planned(10, "3.00"), open(14, "3.25")],
        },
        PoolPlan {
            sku: "vr200-nvl144",
            phases: &[(20_800, When::On(2027, 9, 15)), (20_800, When::On(2027, 11, 1))],
            offers: &[planned(8, "4.40"), open(8, "4.80"), open(4, "5.50")],
        },
    ],
};

const BATAM_THREE: SitePlan = SitePlan {
    name: "Batam DSX 3",
    region: "id-batam",
    power_kw: 120_000,
    state: FactoryState::Planned,
    pools: &[PoolPlan {
        sku: "vr200-nvl144",
        phases: &[(20_200, When::On(2027, 12, 15)), (20_200, When::On(2028, 2, 15))],
        offers: &[planned(8, "4.35"), open(10, "4.75")],
    }],
};

const OSLO: SitePlan = SitePlan {
    name: "Fjordlight Oslo",
    region: "no-oslo",
    power_kw: 20_000,
    state: FactoryState::Energized,
    pools: &[
        PoolPlan {
            sku: "h200-hgx8",
            phases: &[(6_144, When::Opening)],
            offers: &[fostering(10, "2.00"), planned(30, "2.05"), open(45, "2.25")],
        },
        PoolPlan {
            sku: "b300-hgx8",
            phases: &[(3_072, When::Opening), (3_072, When::InDays(60))],
            offers: &[planned(30, "2.90"), open(40, "3.15"), open(20, "3.55")],
        },
    ],
};

const IOWA: SitePlan = SitePlan {
    name: "Prairie Grid Iowa",
    region: "us-iowa",
    power_kw: 32_000,
    state: FactoryState::Energized,
    pools: &[
        PoolPlan {
            sku: "h200-hgx8",
            phases: &[(4_096, When::Opening)],
            offers: &[planned(30, "2.10"), open(40, "2.30")],
        },
        PoolPlan {
            sku: "b300-hgx8",
            phases: &[(4_096, When::Opening), (4_096, When::InDays(30))],
            offers: &[planned(25, "2.85"), open(30, "3.10"), open(15, "3.60")],
        },
        PoolPlan {
            sku: "gb200-nvl72",
            phases: &[(5_760, When::Opening)],
            offers: &[planned(25, "2.55"), open(30, "2.80"), open(15, "3.25")],
        },
    ],
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::Price;

    fn pools(provider: &'static ProviderPlan) -> impl Iterator<Item = &'static PoolPlan> {
        provider.sites.iter().flat_map(|site| site.pools)
    }

    fn gpus(pool: &PoolPlan) -> Gpus {
        pool.phases.iter().map(|(gpus, _)| gpus).sum()
    }

    static ALL: [ProviderPlan; 4] = PROVIDERS;

    #[test]
    fn what_is_published_adds_up() {
        let total = |place: usize| pools(&ALL[place]).map(gpus).sum::<Gpus>();
        let power = |place: usize| ALL[place].sites.iter().map(|site| site.power_kw).sum::<u32>();
        assert_eq!((ALL[0].name, total(0), power(0)), ("Sharon AI", 40_000, 72_000));
        assert_eq!((ALL[1].name, total(1), power(1)), ("Firmus", 170_000, 360_000));
    }

    #[test]
    fn no_factory_draws_more_than_its_budget_and_nothing_is_offered_twice() {
        let watts: BTreeMap<_, _> = PRODUCTS.iter().map(|one| (one.code, one.watts)).collect();
        let lots: BTreeMap<_, _> = PRODUCTS.iter().map(|one| (one.code, one.lot)).collect();
        for site in ALL.iter().flat_map(|provider| provider.sites) {
            let drawn = site.pools.iter().map(|pool| gpus(pool) * watts[pool.sku] / 1_000);
            assert!(drawn.sum::<u32>() <= site.power_kw, "{}", site.name);
            for pool in site.pools {
                let offered: u32 = pool.offers.iter().map(|offer| offer.percent).sum();
                assert!(offered <= 100, "{} {}", site.name, pool.sku);
                for (gpus, _) in pool.phases {
                    assert_eq!(gpus % lots[pool.sku], 0, "{} {}", site.name, pool.sku);
                }
            }
        }
    }

    #[test]
    fn prices_are_of_the_field() {
        let read = |text: &str| text.parse::<Price>().expect("a price");
        for offer in ALL.iter().flat_map(pools).flat_map(|pool| pool.offers) {
            assert!((read("2.00")..=read("5.50")).contains(&read(offer.price)), "{}", offer.price);
        }
    }
}
