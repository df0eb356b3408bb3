//! The products and the places: SKUs and regions. Written by the operator, read by everyone.
//! Nothing in it changes or goes away: contracts for years ahead are measured by it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Engine;
use super::bound;
use super::command::{Answer, Stamp};
use super::effect::Effects;
use super::refusal::Refusal;
use crate::model::{Country, Gpus, Micros, Price, RegionCode, Right, SkuCode, limits};

/// A GPU product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sku {
    pub code: SkuCode,
    pub gpu_model: String,
    pub memory_gib: u32,
    /// The lot: every quantity of this SKU is a multiple of it.
    pub gpus_per_node: Gpus,
    /// GPUs in one scale-up domain.
    pub gpus_per_domain: Gpus,
    pub interconnect: String,
    /// Windows start and end on multiples of this.
    pub slot_minutes: u32,
    /// Prices are multiples of this.
    pub tick: Price,
    pub watts_per_gpu: u32,
    pub created_at: Micros,
}

impl Sku {
    /// Whether it can stand in for another: the same GPU and interconnect, and no less of anything
    /// that can be counted. What cannot be compared is not claimed to be better.
    pub(super) fn is_at_least(&self, other: &Sku) -> bool {
        self.gpu_model == other.gpu_model
            && self.interconnect == other.interconnect
            && self.gpus_per_node == other.gpus_per_node
            && self.slot_minutes <= other.slot_minutes
            && self.memory_gib >= other.memory_gib
            && self.gpus_per_domain >= other.gpus_per_domain
    }
}

/// A place a customer can ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Region {
    pub code: RegionCode,
    pub name: String,
    pub country: Country,
    pub created_at: Micros,
}

/// All products and places.
#[derive(Debug, Default)]
pub struct Catalogue {
    pub(super) skus: BTreeMap<SkuCode, Arc<Sku>>,
    pub(super) regions: BTreeMap<RegionCode, Arc<Region>>,
}

impl Catalogue {
    /// The catalogue that holds these.
    pub(super) fn from_parts(skus: Vec<Sku>, regions: Vec<Region>) -> Self {
        let skus = skus.into_iter().map(|sku| (sku.code.clone(), Arc::new(sku)));
        let regions = regions.into_iter().map(|region| (region.code.clone(), Arc::new(region)));
        Self { skus: skus.collect(), regions: regions.collect() }
    }

    /// The coarsest slot of these SKUs: times on it are on every one of theirs, as slots divide the
    /// day.
    pub(super) fn slot_of(&self, skus: &[SkuCode]) -> u32 {
        skus.iter().filter_map(|code| self.sku(code)).map(|sku| sku.slot_minutes).max().unwrap_or(1)
    }

    pub fn sku(&self, code: &SkuCode) -> Option<&Arc<Sku>> {
        self.skus.get(code)
    }

    pub fn region(&self, code: &RegionCode) -> Option<&Arc<Region>> {
        self.regions.get(code)
    }

    /// All products, in the order of their codes.
    pub fn skus(&self) -> impl Iterator<Item = &Arc<Sku>> {
        self.skus.values()
    }

    /// All places, in the order of their codes.
    pub fn regions(&self) -> impl Iterator<Item = &Arc<Region>> {
        self.regions.values()
    }
}

impl Engine {
    pub(super) fn create_sku(
        &mut self,
        at: &Stamp,
        mut sku: Sku,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        self.parties.operating(at, Right::Catalogue)?;
        is_within_bounds(&sku)?;
        if self.catalogue.sku(&sku.code).is_some() {
            return Err(Refusal::Duplicate { kind: "sku", named: sku.code.to_string() });
        }

        // From here it must succeed: every question has been asked.
        sku.created_at = at.at;
        out.skus.born(sku.code.clone(), sku.clone());
        self.catalogue.skus.insert(sku.code.clone(), Arc::new(sku.clone()));
        Ok(Answer::Sku(sku))
    }

    pub(super) fn create_region(
        &mut self,
        at: &Stamp,
        mut region: Region,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        self.parties.operating(at, Right::Catalogue)?;
        bound::name("name", &region.name)?;
        if self.catalogue.region(&region.code).is_some() {
            return Err(Refusal::Duplicate { kind: "region", named: region.code.to_string() });
        }

        // From here it must succeed: every question has been asked.
        region.created_at = at.at;
        out.regions.born(region.code.clone(), region.clone());
        self.catalogue.regions.insert(region.code.clone(), Arc::new(region.clone()));
        Ok(Answer::Region(region))
    }
}

/// Every field of a product, in the order in which a reader meets them.
fn is_within_bounds(sku: &Sku) -> Result<(), Refusal> {
    let Sku {
        code: _,
        gpu_model,
        memory_gib,
        gpus_per_node,
        gpus_per_domain,
        interconnect,
        slot_minutes,
        tick,
        watts_per_gpu,
        created_at: _,
    } = sku;
    bound::name("gpu_model", gpu_model)?;
    bound::within("memory_gib", *memory_gib, 1, limits::MEMORY_GIB_MAX)?;
    bound::within("gpus_per_node", *gpus_per_node, 1, limits::LOT_MAX)?;
    bound::within("gpus_per_domain", *gpus_per_domain, 1, limits::GPUS_PER_DOMAIN_MAX)?;
    if !gpus_per_domain.is_multiple_of(*gpus_per_node) {
        let rule = "a whole number of nodes: a multiple of gpus_per_node";
        return Err(Refusal::Invalid { field: "gpus_per_domain", rule });
    }
    bound::name("interconnect", interconnect)?;
    bound::within("slot_minutes", *slot_minutes, 1, limits::SLOT_MINUTES_MAX)?;
    if !MINUTES_PER_DAY.is_multiple_of(*slot_minutes) {
        let rule = "a number of minutes that divides a day";
        return Err(Refusal::Invalid { field: "slot_minutes", rule });
    }
    bound::within("tick", tick.micros(), 1, limits::PRICE_MAX)?;
    bound::within("watts_per_gpu", *watts_per_gpu, 1, limits::WATTS_PER_GPU_MAX)
}

const MINUTES_PER_DAY: u32 = 24 * 60;

#[cfg(test)]
mod tests {
    use super::super::Command;
    use super::super::party::harness::{Market, code};
    use super::*;

    fn sku(name: &str) -> Sku {
        Sku {
            code: code(name),
            gpu_model: "NVIDIA GB300".into(),
            memory_gib: 288,
            gpus_per_node: 4,
            gpus_per_domain: 72,
            interconnect: "NVLink 5".into(),
            slot_minutes: 60,
            tick: Price::from_micros(10_000).expect("a cent"),
            watts_per_gpu: 1_800,
            created_at: Micros::default(),
        }
    }

    fn region(name: &str) -> Region {
        let country = "ID".parse().expect("a country");
        Region { code: code(name), name: "Batam".into(), country, created_at: Micros::default() }
    }

    #[test]
    fn the_operator_keeps_the_catalogue() {
        let mut market = Market::founded();
        let founder = market.founder;
        let given = market.ask(founder, Command::CreateSku(sku("gb300-nvl72")));
        let kept = Sku { created_at: market.now(), ..sku("gb300-nvl72") };
        assert_eq!(given, Ok(Answer::Sku(kept.clone())), "the market's own time counts");
        assert_eq!(market.out.skus.get(&kept.code), Some(&kept));
        let given = market.ask(founder, Command::CreateRegion(region("id-batam")));
        let kept = Region { created_at: market.now(), ..region("id-batam") };
        assert_eq!(given, Ok(Answer::Region(kept.clone())));
        assert_eq!(market.out.regions.get(&kept.code), Some(&kept));

        let named = || "gb300-nvl72".to_owned();
        let again = Refusal::Duplicate { kind: "sku", named: named() };
        assert_eq!(market.ask(founder, Command::CreateSku(sku(&named()))), Err(again));
        let again = Refusal::Duplicate { kind: "region", named: "id-batam".into() };
        assert_eq!(market.ask(founder, Command::CreateRegion(region("id-batam"))), Err(again));

        let catalogue = &market.engine.catalogue;
        let skus = catalogue.skus().map(|sku| sku.as_ref().clone()).collect();
        let regions = catalogue.regions().map(|region| region.as_ref().clone()).collect();
        let rebuilt = Catalogue::from_parts(skus, regions);
        assert_eq!(format!("{rebuilt:?}"), format!("{catalogue:?}"));
    }

    #[test]
    fn nobody_else_does() {
        let mut market = Market::founded();
        let owner = market.sign_up("acme", "customer provider");
        let auditor =
            market.member(market.founder, "aud@headroom.example", &[crate::model::Role::Auditor]);
        let not_operator = Refusal::NotCapable { capability: "operator" };
        let not_permitted = Refusal::NotPermitted { right: Right::Catalogue };
        for (who, refusal) in [(owner, not_operator), (auditor, not_permitted)] {
            let given = market.ask(who, Command::CreateSku(sku("h200-hgx8")));
            assert_eq!(given, Err(refusal.clone()));
            let given = market.ask(who, Command::CreateRegion(region("au-sydney")));
            assert_eq!(given, Err(refusal));
        }
    }

    #[test]
    fn every_field_of_a_sku_has_its_bound() {
        type Spoil = fn(&mut Sku);
        let cases: [(&str, Spoil); 17] = [
            ("gpu_model", |sku| sku.gpu_model = String::new()),
            ("gpu_model", |sku| sku.gpu_model = "a\nb".into()),
            ("memory_gib", |sku| sku.memory_gib = 0),
            ("memory_gib", |sku| sku.memory_gib = u32::MAX),
            ("gpus_per_node", |sku| sku.gpus_per_node = 0),
            ("gpus_per_node", |sku| sku.gpus_per_node = limits::LOT_MAX + 1),
            ("gpus_per_domain", |sku| sku.gpus_per_domain = 0),
            ("gpus_per_domain", |sku| sku.gpus_per_domain = 70),
            ("gpus_per_domain", |sku| sku.gpus_per_domain = u32::MAX),
            ("interconnect", |sku| sku.interconnect = " ".into()),
            ("slot_minutes", |sku| sku.slot_minutes = 0),
            ("slot_minutes", |sku| sku.slot_minutes = 7),
            ("slot_minutes", |sku| sku.slot_minutes = 2 * limits::SLOT_MINUTES_MAX),
            ("tick", |sku| sku.tick = Price::default()),
            ("tick", |sku| sku.tick = Price::from_micros(limits::PRICE_MAX + 1).expect("a price")),
            ("watts_per_gpu", |sku| sku.watts_per_gpu = 0),
            ("watts_per_gpu", |sku| sku.watts_per_gpu = u32::MAX),
        ];
        let mut market = Market::founded();
        for (wrong, spoil) in cases {
            let mut spoilt = sku("h200-hgx8");
            spoil(&mut spoilt);
            match market.ask(market.founder, Command::CreateSku(spoilt)) {
                Err(Refusal::OutOfBounds { field, .. } | Refusal::Invalid { field, .. }) => {
                    assert_eq!(field, wrong);
                }
                other => panic!("{wrong}: {other:?}"),
            }
        }
        let nameless = Region { name: String::new(), ..region("id-batam") };
        let given = market.ask(market.founder, Command::CreateRegion(nameless));
        let refusal = Refusal::OutOfBounds { field: "name", least: 1, most: 120, given: 0 };
        assert_eq!(given, Err(refusal));
    }
}
