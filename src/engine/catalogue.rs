//! The products and the places: SKUs and regions. Written by the operator, read by everyone.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Engine;
use super::command::{Answer, Stamp};
use super::effect::Effects;
use super::refusal::Refusal;
use crate::model::{Country, Gpus, Micros, Price, RegionCode, SkuCode};

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

impl Engine {
    pub(super) fn create_sku(
        &mut self,
        _at: &Stamp,
        _sku: Sku,
        _out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        todo!()
    }

    pub(super) fn create_region(
        &mut self,
        _at: &Stamp,
        _region: Region,
        _out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        todo!()
    }
}
