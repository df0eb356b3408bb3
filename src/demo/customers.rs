//! The customers: one organization for each virtual cluster of the trace, and the credit each was
//! given.
//!
//! Knows who they are and what the operator's officers decided about them. Every name is made up.

use super::Fault;
use super::market::{Market, money};
use super::people::{Newcomer, Party, People};
use super::teller::Teller;
use crate::engine::command::Approve;
use crate::engine::credit::{Application, ApplicationState};
use crate::engine::party::Capabilities;
use crate::engine::{Actor, Answer, Command};
use crate::model::id::{ApplicationId, LineId, UserId};
use crate::model::{Money, Role, Segment, Workload};

/// Above this limit it takes two officers, unless the settings say otherwise: high enough that
/// most lines of this market take one.
pub const TWO_PERSON_THRESHOLD: &str = "100000000";

/// What came of a customer's wish for credit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credit {
    Granted(&'static str),
    /// Granted, and frozen two thirds into the replay.
    Frozen(&'static str),
    /// One officer has said yes, and it takes two.
    HalfApproved(&'static str),
    Waiting(&'static str),
    Declined(&'static str),
    Withdrawn(&'static str),
}

/// A customer as the reference data has it.
#[derive(Debug)]
pub struct CustomerPlan {
    /// The virtual cluster of the trace whose jobs it orders.
    pub cluster: &'static str,
    pub name: &'static str,
    pub country: &'static str,
    pub domain: &'static str,
    pub segment: Segment,
    pub workload: Workload,
    /// The products it wants, each with its weight. The first is there from the beginning.
    pub taste: &'static [(&'static str, u32)],
    /// Where its data may go; empty means anywhere.
    pub regions: &'static [&'static str],
    pub credit: Credit,
}

const RACKS: &[(&str, u32)] = &[("gb300-nvl72", 5), ("gb200-nvl72", 2), ("vr200-nvl144", 6)];
const FRONTIER: &[(&str, u32)] = &[("gb300-nvl72", 3), ("vr200-nvl144", 7), ("b300-hgx8", 1)];
const BOARDS: &[(&str, u32)] = &[("b300-hgx8", 5), ("h200-hgx8", 4), ("gb200-nvl72", 2)];
const THRIFTY: &[(&str, u32)] = &[("h200-hgx8", 6), ("gb200-nvl72", 4), ("b300-hgx8", 1)];
const PACIFIC: &[&str] = &["au-sydney", "id-batam"];

pub const CUSTOMERS: [CustomerPlan; 15] = [
    CustomerPlan {
        cluster: "ee9e8c",
        name: "Meridian Models",
        country: "US",
        domain: "meridian-models.example",
        segment: Segment::ModelBuilder,
        workload: Workload::Training,
        taste: FRONTIER,
        regions: &[],
        credit: Credit::Granted("165000000"),
    },
    CustomerPlan {
        cluster: "7f04ca",
        name: "Nusantara Intelligence",
        country: "ID",
        domain: "nusantara.example",
        segment: Segment::RegionalAi,
        workload: Workload::Training,
        taste: RACKS,
        regions: PACIFIC,
        credit: Credit::Granted("95000000"),
    },
    CustomerPlan {
        cluster: "b436b2",
        name: "Tessellate Labs",
        country: "GB",
        domain: "tessellate.example",
        segment: Segment::ModelBuilder,
        workload: Workload::PostTraining,
        taste: FRONTIER,
        regions: &[],
        credit: Credit::Granted("75000000"),
    },
    CustomerPlan {
        cluster: "6214e9",
        name: "Quickstream Inference",
        country: "US",
        domain: "quickstream.example",
        segment: Segment::InferenceProvider,
        workload: Workload::Inference,
        taste: BOARDS,
        regions: &[],
        credit: Credit::Granted("60000000"),
    },
    CustomerPlan {
        cluster: "2869ce",
        name: "Halden Industries",
        country: "DE",
        domain: "halden.example",
        segment: Segment::Enterprise,
        workload: Workload::FineTuning,
        taste: BOARDS,
        regions: &["no-oslo", "au-sydney"],
        credit: Credit::Granted("30000000"),
    },
    CustomerPlan {
        cluster: "6c71a0",
        name: "Copperleaf Agents",
        country: "SG",
        domain: "copperleaf.example",
        segment: Segment::AgentPlatform,
        workload: Workload::AgenticInference,
        taste: RACKS,
        regions: &[],
        credit: Credit::Granted("60000000"),
    },
    CustomerPlan {
        cluster: "0e4a51",
        name: "Larkspur AI",
        country: "AU",
        domain: "larkspur.example",
        segment: Segment::Startup,
        workload: Workload::PostTraining,
        taste: RACKS,
        regions: PACIFIC,
        credit: Credit::Granted("25000000"),
    },
    CustomerPlan {
        cluster: "103959",
        name: "Bluegrain Software",
        country: "CA",
        domain: "bluegrain.example",
        segment: Segment::Isv,
        workload: Workload::FineTuning,
        taste: THRIFTY,
        regions: &[],
        credit: Credit::Granted("24000000"),
    },
    CustomerPlan {
        cluster: "11cb48",
        name: "Parallel Harbor",
        country: "NL",
        domain: "parallel-harbor.example",
        segment: Segment::InferenceProvider,
        workload: Workload::Inference,
        taste: THRIFTY,
        regions: &["no-oslo", "us-iowa", "id-batam"],
        credit: Credit::Granted("18000000"),
    },
    CustomerPlan {
        cluster: "e13805",
        name: "Ostrava Institute of Computing",
        country: "CZ",
        domain: "ostrava-institute.example",
        segment: Segment::Research,
        workload: Workload::Training,
        taste: THRIFTY,
        regions: &[],
        credit: Credit::Granted("8000000"),
    },
    CustomerPlan {
        cluster: "ed69ec",
        name: "Fennel Robotics",
        country: "US",
        domain: "fennel.example",
        segment: Segment::Startup,
        workload: Workload::FineTuning,
        taste: THRIFTY,
        regions: &[],
        credit: Credit::Frozen("6000000"),
    },
    CustomerPlan {
        cluster: "23dbec",
        name: "Terra Australis AI",
        country: "AU",
        domain: "terra-australis.example",
        segment: Segment::RegionalAi,
        workload: Workload::Training,
        taste: RACKS,
        regions: PACIFIC,
        credit: Credit::HalfApproved("120000000"),
    },
    CustomerPlan {
        cluster: "51b7ef",
        name: "Moonshot Widgets",
        country: "US",
        domain: "moonshot-widgets.example",
        segment: Segment::Startup,
        workload: Workload::Inference,
        taste: BOARDS,
        regions: &[],
        credit: Credit::Declined("25000000"),
    },
    CustomerPlan {
        cluster: "795a4c",
        name: "Kestrel Health",
        country: "NO",
        domain: "kestrel-health.example",
        segment: Segment::Enterprise,
        workload: Workload::FineTuning,
        taste: BOARDS,
        regions: &["no-oslo"],
        credit: Credit::Waiting("3000000"),
    },
    CustomerPlan {
        cluster: "925e2b",
        name: "Pinecone Studio",
        country: "FI",
        domain: "pinecone-studio.example",
        segment: Segment::AgentPlatform,
        workload: Workload::AgenticInference,
        taste: THRIFTY,
        regions: &[],
        credit: Credit::Withdrawn("1500000"),
    },
];

/// A customer in the market.
#[derive(Debug)]
pub struct Customer {
    pub plan: &'static CustomerPlan,
    pub party: Party,
    /// Who orders for it.
    pub trader: UserId,
    line: Option<LineId>,
}

static ALL: [CustomerPlan; 15] = CUSTOMERS;

/// Signs all customers up and gives lines to those who get one.
///
/// # Errors
/// When the machinery fails.
pub fn sign_up(
    teller: &mut Teller,
    people: &mut People,
    market: &Market,
) -> Result<Vec<Customer>, Fault> {
    let mut customers = Vec::new();
    for plan in &ALL {
        let is_first = customers.is_empty();
        let party = people.sign_up(
            teller,
            &Newcomer {
                name: plan.name,
                country: plan.country,
                domain: plan.domain,
                segment: Some(plan.segment),
                capabilities: Capabilities { customer: true, ..Capabilities::default() },
                persona: is_first.then_some("customer: owner"),
            },
        )?;
        let mut customer = Customer { plan, party, trader: party.owner, line: None };
        if is_first {
            customer.trader = colleagues(teller, people, plan, party)?;
        }
        if let Credit::Granted(limit) | Credit::Frozen(limit) = plan.credit {
            let id = customer.apply(teller, money(limit))?;
            customer.line = Some(customer.approve(teller, market, id, money(limit))?);
        }
        customers.push(customer);
    }
    Ok(customers)
}

/// The first customer's trader, whom it answers, and its finance and viewing colleagues.
fn colleagues(
    teller: &mut Teller,
    people: &mut People,
    plan: &CustomerPlan,
    party: Party,
) -> Result<UserId, Fault> {
    let mut join = |name: &str, role, persona| {
        let email = format!("{name}@{}", plan.domain);
        people.join(teller, party.owner, plan.name, &email, role, persona)
    };
    let trader = join("trader", Role::Trader, "customer: trader")?;
    join("finance", Role::Finance, "customer: finance")?;
    join("viewer", Role::Viewer, "customer: viewer")?;
    Ok(trader)
}

/// Freezes the lines that are to be frozen.
///
/// # Errors
/// When the machinery fails.
pub fn freeze(teller: &mut Teller, customers: &[Customer], market: &Market) -> Result<(), Fault> {
    for customer in customers {
        if let (Credit::Frozen(_), Some(id)) = (customer.plan.credit, customer.line) {
            let note = "Usage reports are two months late".to_owned();
            let officer = Actor::User(market.second_officer);
            teller.say(officer, Command::FreezeLine { id, note })?;
        }
    }
    Ok(())
}

/// What has been asked of the officers lately: applications that wait, and two that came to
/// nothing.
///
/// # Errors
/// When the machinery fails.
pub fn apply_late(
    teller: &mut Teller,
    customers: &[Customer],
    market: &Market,
) -> Result<(), Fault> {
    for customer in customers {
        match customer.plan.credit {
            Credit::Granted(_) | Credit::Frozen(_) => {}
            Credit::Waiting(amount) => drop(customer.apply(teller, money(amount))?),
            Credit::HalfApproved(amount) => {
                let id = customer.apply(teller, money(amount))?;
                let ask = approval(teller, id, money(amount));
                teller.say(Actor::User(market.operator.owner), Command::Approve(ask))?;
            }
            Credit::Declined(amount) => {
                let id = customer.apply(teller, money(amount))?;
                let codes = ["insufficient_history", "exposure_limit"];
                let reason_codes = codes.map(str::to_owned).to_vec();
                let note = "Welcome to come back with a year of accounts".to_owned();
                let officer = Actor::User(market.second_officer);
                teller.say(officer, Command::Decline { id, reason_codes, note })?;
            }
            Credit::Withdrawn(amount) => {
                let id = customer.apply(teller, money(amount))?;
                let owner = Actor::User(customer.party.owner);
                teller.say(owner, Command::WithdrawApplication { id })?;
            }
        }
    }
    Ok(())
}

impl Customer {
    fn apply(&self, teller: &mut Teller, amount: Money) -> Result<ApplicationId, Fault> {
        let id = ApplicationId::new(teller.fresh());
        let purpose = format!("Blocks for {} over the coming year", self.plan.workload);
        let workload = Some(self.plan.workload);
        let apply = Command::Apply { id, amount, purpose, workload };
        teller.say(Actor::User(self.party.owner), apply)?;
        Ok(id)
    }

    /// As many officers as it takes say yes to the same terms.
    fn approve(
        &self,
        teller: &mut Teller,
        market: &Market,
        id: ApplicationId,
        limit: Money,
    ) -> Result<LineId, Fault> {
        let ask = approval(teller, id, limit);
        let line = ask.line;
        let admin = Actor::User(market.operator.owner);
        let answer = teller.say(admin, Command::Approve(ask.clone()))?;
        let waits = |application: &Application| application.state == ApplicationState::Submitted;
        if matches!(&answer, Answer::Application(application) if waits(application)) {
            let second = Actor::User(market.second_officer);
            teller.say(second, Command::Approve(ask))?;
        }
        Ok(line)
    }
}

fn approval(teller: &mut Teller, id: ApplicationId, limit: Money) -> Approve {
    Approve {
        id,
        line: LineId::new(teller.fresh()),
        limit,
        tenor_months: 24,
        net_days: 30,
        note: "Accounts and references seen".to_owned(),
        dry_run: false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::reference::{PLACES, PRODUCTS};
    use super::super::trace;
    use super::*;

    #[test]
    fn every_virtual_cluster_is_one_customer() {
        let clusters: BTreeSet<String> =
            trace::jobs().into_iter().map(|job| job.customer).collect();
        let customers: BTreeSet<String> =
            CUSTOMERS.iter().map(|plan| plan.cluster.to_owned()).collect();
        assert_eq!(clusters, customers);
    }

    #[test]
    fn tastes_and_regions_are_of_the_reference_data() {
        for plan in &CUSTOMERS {
            for (sku, weight) in plan.taste {
                assert!(*weight > 0 && PRODUCTS.iter().any(|one| one.code == *sku), "{sku}");
            }
            for region in plan.regions {
                assert!(PLACES.iter().any(|place| place.code == *region), "{region}");
            }
        }
    }

    #[test]
    fn exactly_one_line_takes_two_officers() {
        let above = CUSTOMERS.iter().filter(|plan| match plan.credit {
            Credit::Granted(limit) | Credit::Frozen(limit) => {
                money(limit) > money(TWO_PERSON_THRESHOLD)
            }
            _ => false,
        });
        assert_eq!(above.count(), 1);
    }
}
