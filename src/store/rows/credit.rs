//! Credit applications and lines as rows. A line's balances are accounts of the ledger.

use super::{count, json, maybe, parse, uid, word};
use crate::engine::credit::{Application, ApplicationState, Line, LineState};
use crate::model::id::{ApplicationId, LineId, OrgId, UserId};
use crate::model::{Micros, Minute, Money, Workload};
use crate::store::Fault;
use crate::store::schema::row;

row! {
    ApplicationRow in credit_applications
    key { id: Id, }
    fixed { org: Id, created_at: Number, }
    moving {
        requested: Number,
        purpose: Text,
        workload: MaybeText,
        state: Text,
        approval: MaybeText,
        approved_by: Text,
        approvals_needed: Number,
        declined_by: MaybeId,
        reason_codes: Text,
        note: Text,
        line: MaybeId,
        changed_at: Number,
        version: Number,
    }
}

row! {
    LineRow in credit_lines
    key { id: Id, }
    fixed { org: Id, application: Id, created_at: Number, }
    moving {
        state: Text,
        target_limit: MaybeNumber,
        proposal: MaybeText,
        net_days: Number,
        expires_at: Number,
        note: Text,
        changed_at: Number,
        version: Number,
    }
}

impl From<&Application> for ApplicationRow {
    fn from(thing: &Application) -> Self {
        let Application {
            id,
            org,
            requested,
            purpose,
            workload,
            state,
            approval,
            approved_by,
            approvals_needed,
            declined_by,
            reason_codes,
            note,
            line,
            created_at,
            changed_at,
            version,
        } = thing;
        Self {
            id: uid(id.uuid()),
            org: uid(org.uuid()),
            created_at: created_at.count(),
            requested: requested.micros(),
            purpose: purpose.clone(),
            workload: workload.map(|workload| workload.as_str().to_owned()),
            state: state.as_str().to_owned(),
            approval: approval.as_ref().map(json),
            approved_by: json(approved_by),
            approvals_needed: i64::from(*approvals_needed),
            declined_by: declined_by.map(|user| uid(user.uuid())),
            reason_codes: json(reason_codes),
            note: note.clone(),
            line: line.map(|line| uid(line.uuid())),
            changed_at: changed_at.count(),
            version: i64::from(*version),
        }
    }
}

impl TryFrom<ApplicationRow> for Application {
    type Error = Fault;
    fn try_from(row: ApplicationRow) -> Result<Self, Fault> {
        let approval = row.approval.as_deref();
        Ok(Self {
            id: ApplicationId::new(row.id.0),
            org: OrgId::new(row.org.0),
            requested: Money::from_micros(row.requested),
            purpose: row.purpose,
            workload: maybe(row.workload, |text| {
                word("credit_applications.workload", &text, Workload::read)
            })?,
            state: word("credit_applications.state", &row.state, ApplicationState::read)?,
            approval: maybe(approval, |text| parse("credit_applications.approval", text))?,
            approved_by: parse("credit_applications.approved_by", &row.approved_by)?,
            approvals_needed: count("credit_applications.approvals_needed", row.approvals_needed)?,
            declined_by: row.declined_by.map(|user| UserId::new(user.0)),
            reason_codes: parse("credit_applications.reason_codes", &row.reason_codes)?,
            note: row.note,
            line: row.line.map(|line| LineId::new(line.0)),
            created_at: Micros::new(row.created_at),
            changed_at: Micros::new(row.changed_at),
            version: count("credit_applications.version", row.version)?,
        })
    }
}

impl From<&Line> for LineRow {
    fn from(thing: &Line) -> Self {
        let Line {
            id,
            org,
            application,
            state,
            target_limit,
            proposal,
            net_days,
            expires_at,
            note,
            created_at,
            changed_at,
            version,
        } = thing;
        Self {
            id: uid(id.uuid()),
            org: uid(org.uuid()),
            application: uid(application.uuid()),
            created_at: created_at.count(),
            state: state.as_str().to_owned(),
            target_limit: target_limit.map(Money::micros),
            proposal: proposal.as_ref().map(json),
            net_days: i64::from(*net_days),
            expires_at: expires_at.count(),
            note: note.clone(),
            changed_at: changed_at.count(),
            version: i64::from(*version),
        }
    }
}

impl TryFrom<LineRow> for Line {
    type Error = Fault;
    fn try_from(row: LineRow) -> Result<Self, Fault> {
        let proposal = row.proposal.as_deref();
        Ok(Self {
            id: LineId::new(row.id.0),
            org: OrgId::new(row.org.0),
            application: ApplicationId::new(row.application.0),
            state: word("credit_lines.state", &row.state, LineState::read)?,
            target_limit: row.target_limit.map(Money::from_micros),
            proposal: maybe(proposal, |text| parse("credit_lines.proposal", text))?,
            net_days: count("credit_lines.net_days", row.net_days)?,
            expires_at: Minute::new(row.expires_at),
            note: row.note,
            created_at: Micros::new(row.created_at),
            changed_at: Micros::new(row.changed_at),
            version: count("credit_lines.version", row.version)?,
        })
    }
}
