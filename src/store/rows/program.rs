//! Programs as rows: the newest version's head, and every version's terms, which contracts refer
//! to.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{corrupt, count, json, parse, uid};
use crate::engine::program::{FrozenProgram, Program, ProgramTerms};
use crate::model::Micros;
use crate::model::id::{OrgId, ProgramId};
use crate::store::Fault;
use crate::store::schema::row;

row! {
    ProgramRow in programs
    key { id: Id, }
    fixed { vendor: Id, created_at: Number, }
    moving { name: Text, version: Number, pools: Text, }
}

row! {
    /// Never changes.
    VersionRow in program_versions
    key { program: Id, version: Number, }
    fixed { vendor: Id, terms: Text, }
    moving { }
}

/// Every version of some programs, each held once however many contracts were made under it.
#[derive(Debug, Default)]
pub struct Versions(BTreeMap<(ProgramId, u32), Arc<FrozenProgram>>);

impl From<&Program> for ProgramRow {
    fn from(thing: &Program) -> Self {
        // The terms are a row of their own.
        let Program { id, name, vendor, version, terms: _, pools, created_at } = thing;
        Self {
            id: uid(id.uuid()),
            vendor: uid(vendor.uuid()),
            created_at: created_at.count(),
            name: name.clone(),
            version: i64::from(*version),
            pools: json(pools),
        }
    }
}

impl ProgramRow {
    /// The program, with the terms of its newest version.
    pub fn into_program(self, versions: &Versions) -> Result<Program, Fault> {
        let id = ProgramId::new(self.id.0);
        let version = count("programs.version", self.version)?;
        Ok(Program {
            id,
            name: self.name,
            vendor: OrgId::new(self.vendor.0),
            version,
            terms: versions.get(id, version)?.terms.clone(),
            pools: parse("programs.pools", &self.pools)?,
            created_at: Micros::new(self.created_at),
        })
    }
}

impl VersionRow {
    pub fn of(program: ProgramId, version: u32, vendor: OrgId, terms: &ProgramTerms) -> Self {
        Self {
            program: uid(program.uuid()),
            version: i64::from(version),
            vendor: uid(vendor.uuid()),
            terms: json(terms),
        }
    }
}

impl Versions {
    pub fn read(rows: Vec<VersionRow>) -> Result<Self, Fault> {
        let mut versions = BTreeMap::new();
        for row in rows {
            let program = ProgramId::new(row.program.0);
            let version = count("program_versions.version", row.version)?;
            let terms = Arc::new(parse("program_versions.terms", &row.terms)?);
            let vendor = OrgId::new(row.vendor.0);
            let frozen = FrozenProgram { program, version, vendor, terms };
            versions.insert((program, version), Arc::new(frozen));
        }
        Ok(Self(versions))
    }

    /// The one copy of a version.
    pub fn get(&self, program: ProgramId, version: u32) -> Result<Arc<FrozenProgram>, Fault> {
        let frozen = self.0.get(&(program, version));
        frozen.cloned().ok_or_else(|| {
            corrupt("program_versions", format_args!("{program} has no version {version}"))
        })
    }
}
