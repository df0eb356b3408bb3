//! Credit applications, lines and the debts of those in default as rows. A line's balances are
//! accounts of the ledger.

use super::{corrupt, count, json, maybe, parse, uid, word};
use crate::engine::credit::{
    Application, ApplicationState, Cap, CapSubject, Collection, DefaultReason, Line, LineState,
};
use crate::model::id::{ApplicationId, LineId, OrgId, ProgramId, UserId};
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
    fixed { org: Id, application: Id, program: MaybeId, created_at: Number, }
    moving {
        state: Text,
        target_limit: MaybeNumber,
        proposal: MaybeText,
        net_days: Number,
        expires_at: Number,
        past_due_since: MaybeNumber,
        note: Text,
        review_at: Number,
        review: MaybeText,
        changed_at: Number,
        version: Number,
    }
}

row! {
    CapRow in caps
    key { kind: Text, name: Text, }
    fixed { }
    moving {
        amount: MaybeNumber,
        note: Text,
        set_by: Id,
        set_at: Number,
        version: Number,
    }
}

row! {
    /// The debt of one line, by the line.
    CollectionRow in collections
    key { line: Id, }
    fixed { org: Id, reason: Text, decided_by: Text, defaulted: Number, defaulted_at: Number, }
    moving {
        claims: Text,
        written_off: Number,
        borne: Text,
        recovered: Number,
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
            program,
            state,
            target_limit,
            proposal,
            net_days,
            expires_at,
            past_due_since,
            note,
            review_at,
            review,
            created_at,
            changed_at,
            version,
        } = thing;
        Self {
            id: uid(id.uuid()),
            org: uid(org.uuid()),
            application: uid(application.uuid()),
            program: program.map(|program| uid(program.uuid())),
            created_at: created_at.count(),
            state: state.as_str().to_owned(),
            target_limit: target_limit.map(Money::micros),
            proposal: proposal.as_ref().map(json),
            net_days: i64::from(*net_days),
            expires_at: expires_at.count(),
            past_due_since: past_due_since.map(Minute::count),
            note: note.clone(),
            review_at: review_at.count(),
            review: review.as_ref().map(json),
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
            program: row.program.map(|program| ProgramId::new(program.0)),
            state: word("credit_lines.state", &row.state, LineState::read)?,
            target_limit: row.target_limit.map(Money::from_micros),
            proposal: maybe(proposal, |text| parse("credit_lines.proposal", text))?,
            net_days: count("credit_lines.net_days", row.net_days)?,
            expires_at: Minute::new(row.expires_at),
            past_due_since: row.past_due_since.map(Minute::new),
            note: row.note,
            review_at: Minute::new(row.review_at),
            review: maybe(row.review, |text| parse("credit_lines.review", &text))?,
            created_at: Micros::new(row.created_at),
            changed_at: Micros::new(row.changed_at),
            version: count("credit_lines.version", row.version)?,
        })
    }
}

impl From<&Cap> for CapRow {
    fn from(thing: &Cap) -> Self {
        let Cap { subject, amount, note, set_by, set_at, version } = thing;
        Self {
            kind: subject.kind().to_owned(),
            name: subject.name(),
            amount: amount.map(Money::micros),
            note: note.clone(),
            set_by: uid(set_by.uuid()),
            set_at: set_at.count(),
            version: i64::from(*version),
        }
    }
}

impl TryFrom<CapRow> for Cap {
    type Error = Fault;
    fn try_from(row: CapRow) -> Result<Self, Fault> {
        let subject = CapSubject::read(&row.kind, &row.name);
        let unknown = || corrupt("caps", format_args!("{} {}", row.kind, row.name));
        Ok(Self {
            subject: subject.ok_or_else(unknown)?,
            amount: row.amount.map(Money::from_micros),
            note: row.note,
            set_by: UserId::new(row.set_by.0),
            set_at: Micros::new(row.set_at),
            version: count("caps.version", row.version)?,
        })
    }
}

impl From<&Collection> for CollectionRow {
    fn from(thing: &Collection) -> Self {
        let Collection {
            line,
            org,
            reason,
            decided_by,
            defaulted,
            claims,
            written_off,
            borne,
            recovered,
            defaulted_at,
            changed_at,
            version,
        } = thing;
        Self {
            line: uid(line.uuid()),
            org: uid(org.uuid()),
            reason: reason.as_str().to_owned(),
            decided_by: json(decided_by),
            defaulted: defaulted.micros(),
            defaulted_at: defaulted_at.count(),
            claims: json(claims),
            written_off: written_off.micros(),
            borne: json(borne),
            recovered: recovered.micros(),
            changed_at: changed_at.count(),
            version: i64::from(*version),
        }
    }
}

impl TryFrom<CollectionRow> for Collection {
    type Error = Fault;
    fn try_from(row: CollectionRow) -> Result<Self, Fault> {
        Ok(Self {
            line: LineId::new(row.line.0),
            org: OrgId::new(row.org.0),
            reason: word("collections.reason", &row.reason, DefaultReason::read)?,
            decided_by: parse("collections.decided_by", &row.decided_by)?,
            defaulted: Money::from_micros(row.defaulted),
            claims: parse("collections.claims", &row.claims)?,
            written_off: Money::from_micros(row.written_off),
            borne: parse("collections.borne", &row.borne)?,
            recovered: Money::from_micros(row.recovered),
            defaulted_at: Micros::new(row.defaulted_at),
            changed_at: Micros::new(row.changed_at),
            version: count("collections.version", row.version)?,
        })
    }
}
