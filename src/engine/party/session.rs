//! Sign-ins of people: a chain of refresh tokens each, of which only digests are known here.

use super::{Session, UserState};
use crate::engine::Engine;
use crate::engine::command::{Actor, Answer, NewSession, Stamp};
use crate::engine::deadline::Due;
use crate::engine::effect::Effects;
use crate::engine::refusal::Refusal;
use crate::model::id::{SessionId, UserId};
use crate::model::{Micros, limits};

const SECONDS_PER_DAY: i64 = 24 * 60 * 60;

/// A refresh token unused until then is a forgotten browser.
fn end_of_session(now: Micros) -> Micros {
    now.plus_secs(limits::REFRESH_TOKEN_DAYS * SECONDS_PER_DAY)
}

impl Engine {
    /// Signs in a person whose password the door has checked.
    pub(in crate::engine) fn open_session(
        &mut self,
        at: &Stamp,
        user: UserId,
        session: NewSession,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        if at.actor != Actor::Anonymous {
            return Err(Refusal::NotActive);
        }
        let person = self.parties.user(user).filter(|user| user.state == UserState::Active);
        let user = person.ok_or(Refusal::BadCredential)?.as_ref().clone();

        // From here it must succeed: every question has been asked.
        let session = self.start_session(at, user.id, session, out);
        Ok(self.signed_in(session))
    }

    /// Trades a refresh token for the next one.
    ///
    /// The one refusal that changes something: a token that was traded before is in two hands, and
    /// nobody knows which is the thief's, so the session ends for both and the answer is `BadCredential`.
    pub(in crate::engine) fn refresh_session(
        &mut self,
        at: &Stamp,
        presented: [u8; 32],
        next: [u8; 32],
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let found = self.parties.session_by_refresh(&presented);
        let before = found.ok_or(Refusal::BadCredential)?.clone();
        if before.expires_at <= at.at {
            return Err(Refusal::BadCredential);
        }
        if before.refresh_hash != presented {
            self.shut(before, out);
            return Err(Refusal::BadCredential);
        }

        // From here it must succeed: every question has been asked.
        let mut session = before.clone();
        session.previous_hash = Some(presented);
        session.refresh_hash = next;
        session.expires_at = end_of_session(at.at);
        self.parties.change_session(&session, out);
        self.deadlines.clear(before.expires_at, Due::SessionEnds(session.id));
        self.deadlines.set(session.expires_at, Due::SessionEnds(session.id));
        Ok(self.signed_in(session))
    }

    /// Signs out. People close their own sessions only.
    pub(in crate::engine) fn close_session(
        &mut self,
        at: &Stamp,
        session: SessionId,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let person = self.parties.acting(at)?.person()?;
        let own = self.parties.session(session).filter(|session| session.user == person);
        let session = own.ok_or(Refusal::NotFound { kind: "session" })?.clone();

        // From here it must succeed: every question has been asked.
        Ok(Answer::Session(self.shut(session, out)))
    }

    /// A session's time has come.
    pub(in crate::engine) fn end_session(&mut self, session: SessionId, out: &mut Effects) {
        let session = self.parties.session(session).expect("closed sessions have no deadline");
        let session = session.clone();
        self.shut(session, out);
    }

    /// Opens a session for somebody who may have one. The oldest gives way when there are too many.
    pub(super) fn start_session(
        &mut self,
        at: &Stamp,
        user: UserId,
        new: NewSession,
        out: &mut Effects,
    ) -> Session {
        while self.parties.sessions_of(user).count() >= limits::SESSIONS_PER_USER_MAX {
            let oldest = self.parties.sessions_of(user).min_by_key(|one| (one.created_at, one.id));
            let oldest = oldest.expect("there are too many").clone();
            self.shut(oldest, out);
        }
        let session = Session {
            id: new.id,
            user,
            refresh_hash: new.refresh_hash,
            previous_hash: None,
            created_at: at.at,
            expires_at: end_of_session(at.at),
            closed: false,
        };
        self.parties.add_session(&session, out);
        self.deadlines.set(session.expires_at, Due::SessionEnds(session.id));
        session
    }

    pub(super) fn close_all_sessions(&mut self, user: UserId, out: &mut Effects) {
        let open: Vec<Session> = self.parties.sessions_of(user).cloned().collect();
        for session in open {
            self.shut(session, out);
        }
    }

    fn shut(&mut self, mut session: Session, out: &mut Effects) -> Session {
        session.closed = true;
        self.deadlines.clear(session.expires_at, Due::SessionEnds(session.id));
        self.parties.change_session(&session, out);
        session
    }

    fn signed_in(&self, session: Session) -> Answer {
        let user = self.parties.user(session.user).expect("sessions name their person");
        let org = self.parties.organization(user.org).expect("people name their organization");
        let (organization, user) = (org.as_ref().clone(), user.as_ref().clone());
        Answer::SignedIn { organization, user, session }
    }
}
