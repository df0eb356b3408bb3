//! Who may do what: roles, rights, and the one table that joins them.

use crate::words;

words! {
    /// What a member may be in an organization. The last four exist in the operator only.
    Role {
        Owner = "owner",
        Trader = "trader",
        Viewer = "viewer",
        Finance = "finance",
        Inventory = "inventory",
        Admin = "admin",
        CreditOfficer = "credit_officer",
        MarketOps = "market_ops",
        Auditor = "auditor",
    }
    /// A verb on a resource. A handler names the one it needs in the type of its caller.
    Right {
        /// See what one's own organization has.
        View = "view",
        /// Invite, change and remove members; create and revoke API keys.
        Administer = "administer",
        /// Quote firmly, order and cancel.
        Trade = "trade",
        /// Ask for credit and withdraw the request.
        ApplyForCredit = "apply_for_credit",
        /// Publish factories, pools, phases, maintenance and listings.
        Offer = "offer",
        /// Operator: approve and suspend organizations.
        Admit = "admit",
        /// Operator: keep SKUs, regions and programs.
        Catalogue = "catalogue",
        /// Operator: decide credit applications, freeze lines, change limits.
        DecideCredit = "decide_credit",
        /// Operator: finalize invoices, record payments, pay out, close months.
        Bill = "bill",
        /// Operator: read every organization's objects, the ledgers and the audit trail.
        Audit = "audit",
        /// Operator: move the simulated clock.
        SetClock = "set_clock",
    }
}

impl Role {
    /// Whether this role belongs to the operator's people only.
    pub const fn is_operator(self) -> bool {
        matches!(self, Role::Admin | Role::CreditOfficer | Role::MarketOps | Role::Auditor)
    }

    /// The table: what each role may do.
    pub const fn rights(self) -> &'static [Right] {
        use Right::{
            Administer, Admit, ApplyForCredit, Audit, Bill, Catalogue, DecideCredit, Offer,
            SetClock, Trade, View,
        };
        match self {
            Role::Owner => &[View, Administer, Trade, ApplyForCredit, Offer],
            Role::Trader => &[View, Trade],
            Role::Viewer => &[View],
            Role::Finance => &[View, ApplyForCredit],
            Role::Inventory => &[View, Offer],
            Role::Admin => &[View, Administer, Admit, Catalogue, Bill, Audit, SetClock],
            Role::CreditOfficer => &[View, DecideCredit, Audit],
            Role::MarketOps => &[View, Admit, Catalogue, Bill, Audit],
            Role::Auditor => &[View, Audit],
        }
    }

    pub fn may(self, right: Right) -> bool {
        self.rights().contains(&right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_right_is_had_by_exactly_these_roles() {
        let table: [(Right, &[Role]); 11] = [
            (Right::View, Role::ALL),
            (Right::Administer, &[Role::Owner, Role::Admin]),
            (Right::Trade, &[Role::Owner, Role::Trader]),
            (Right::ApplyForCredit, &[Role::Owner, Role::Finance]),
            (Right::Offer, &[Role::Owner, Role::Inventory]),
            (Right::Admit, &[Role::Admin, Role::MarketOps]),
            (Right::Catalogue, &[Role::Admin, Role::MarketOps]),
            (Right::DecideCredit, &[Role::CreditOfficer]),
            (Right::Bill, &[Role::Admin, Role::MarketOps]),
            (Right::Audit, &[Role::Admin, Role::CreditOfficer, Role::MarketOps, Role::Auditor]),
            (Right::SetClock, &[Role::Admin]),
        ];
        assert_eq!(table.len(), Right::ALL.len());
        for (right, roles) in table {
            let had: Vec<Role> = Role::ALL.iter().copied().filter(|role| role.may(right)).collect();
            assert_eq!(had, roles, "{right}");
        }
    }
}
