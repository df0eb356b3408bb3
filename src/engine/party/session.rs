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
    /// nobody knows which is the thief's, so the session ends for both and the answer is
    /// `BadCredential`.
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

#[cfg(test)]
mod tests {
    use super::super::harness::{Market, digest, signed_in, user};
    use super::*;
    use crate::engine::command::Command;
    use crate::model::Role;

    const MONTH: i64 = limits::REFRESH_TOKEN_DAYS * SECONDS_PER_DAY;

    fn open(market: &mut Market, person: Actor) -> Session {
        let session = market.new_session();
        let open = Command::OpenSession { user: user(person), session };
        signed_in(market.ask(Actor::Anonymous, open)).2
    }

    fn refresh(presented_hash: [u8; 32], next_hash: [u8; 32]) -> Command {
        Command::RefreshSession { presented_hash, next_hash }
    }

    #[test]
    fn only_active_people_sign_in() {
        let mut market = Market::founded();
        let owner = market.sign_up("acme", "customer");
        let (_, invited) = market.invited(owner, "i@acme.example", &[Role::Viewer]);
        let removed = market.member(owner, "r@acme.example", &[Role::Viewer]);
        market.ask(owner, Command::RemoveMember { user: user(removed) }).expect("a removal");
        let nobody = Actor::User(UserId::new(market.mint()));
        for person in [Actor::User(invited), removed, nobody] {
            let session = market.new_session();
            let open = Command::OpenSession { user: user(person), session };
            assert_eq!(market.ask(Actor::Anonymous, open), Err(Refusal::BadCredential));
        }
        let session = market.new_session();
        let signed_in_already = Command::OpenSession { user: user(owner), session };
        assert_eq!(market.ask(owner, signed_in_already), Err(Refusal::NotActive));
        assert_eq!(open(&mut market, owner).user, user(owner));
    }

    #[test]
    fn a_refresh_token_is_traded_for_the_next_one() {
        let mut market = Market::founded();
        let owner = market.sign_up("acme", "customer");
        let before = open(&mut market, owner);
        market.wait(MONTH - 1);
        let traded = market.ask(Actor::Anonymous, refresh(before.refresh_hash, digest(1)));
        let after = signed_in(traded).2;
        assert_eq!((after.id, after.refresh_hash), (before.id, digest(1)));
        assert_eq!(after.previous_hash, Some(before.refresh_hash));
        assert_eq!(after.expires_at, market.now().plus_secs(MONTH), "it lives on");
        assert_eq!(market.out.sessions.get(&after.id), Some(&after));
        let ends = Due::SessionEnds(after.id);
        let due: Vec<_> =
            market.engine.deadlines.facts().filter(|(_, due)| **due == ends).collect();
        assert_eq!(due, [(after.expires_at, &ends)]);
        market.ask(Actor::Anonymous, refresh(digest(1), digest(2))).expect("and so on");
    }

    #[test]
    fn a_token_that_is_not_good_is_refused() {
        let mut market = Market::founded();
        let owner = market.sign_up("acme", "customer");
        let session = open(&mut market, owner);
        let given = market.ask(Actor::Anonymous, refresh(digest(1), digest(2)));
        assert_eq!(given, Err(Refusal::BadCredential), "nobody has it");
        market.wait(MONTH);
        let given = market.ask(Actor::Anonymous, refresh(session.refresh_hash, digest(2)));
        assert_eq!(given, Err(Refusal::BadCredential), "too late, also before the tick");
    }

    #[test]
    fn a_token_used_twice_ends_its_session() {
        let mut market = Market::founded();
        let owner = market.sign_up("acme", "customer");
        let other = open(&mut market, owner);
        let session = open(&mut market, owner);
        let used = session.refresh_hash;
        let again = refresh(used, digest(1));
        market.ask(Actor::Anonymous, again.clone()).expect("the first time");
        let given = market.ask_freely(Actor::Anonymous, again);
        assert_eq!(given, Err(Refusal::BadCredential));
        assert!(market.out.sessions.get(&session.id).is_some_and(|session| session.closed));
        let now = (market.engine.now(), market.engine.seq() > 0);
        assert_eq!(now, (market.now(), true), "the command counts");
        for token in [used, digest(1)] {
            let given = market.ask(Actor::Anonymous, refresh(token, digest(3)));
            assert_eq!(given, Err(Refusal::BadCredential), "over for both");
        }
        let given = market.ask(Actor::Anonymous, refresh(other.refresh_hash, digest(4)));
        assert!(given.is_ok(), "other sessions go on");
    }

    #[test]
    fn people_close_their_own_sessions() {
        let mut market = Market::founded();
        let owner = market.sign_up("acme", "customer");
        let other = market.sign_up("other", "customer");
        let key = Actor::Key(market.key(owner, &[Role::Owner], None));
        let session = open(&mut market, owner);
        let close = || Command::CloseSession { session: session.id };
        let not_found = Refusal::NotFound { kind: "session" };
        assert_eq!(market.ask(other, close()), Err(not_found.clone()));
        assert_eq!(market.ask(key, close()), Err(Refusal::PersonNeeded));
        assert_eq!(market.ask(Actor::Anonymous, close()), Err(Refusal::NotActive));
        let closed = Session { closed: true, ..session.clone() };
        assert_eq!(market.ask(owner, close()), Ok(Answer::Session(closed)));
        let told = format!("{:?}", market.out.changes);
        assert!(told.contains("closed") && !told.contains("hash"), "{told}");
        assert_eq!(market.ask(owner, close()), Err(not_found));
        let ends = Due::SessionEnds(session.id);
        assert!(market.engine.deadlines.facts().all(|(_, due)| *due != ends));
    }

    #[test]
    fn the_oldest_session_gives_way() {
        let mut market = Market::founded();
        let owner = market.sign_up("acme", "customer");
        let at_sign_up = market.engine.parties.sessions_of(user(owner)).next().expect("one").id;
        for _ in 1..limits::SESSIONS_PER_USER_MAX {
            market.wait(1);
            open(&mut market, owner);
            assert_eq!(market.out.sessions.len(), 1, "there is room");
        }
        market.wait(1);
        open(&mut market, owner);
        assert!(market.out.sessions.get(&at_sign_up).is_some_and(|session| session.closed));
        let left = market.engine.parties.sessions_of(user(owner)).count();
        assert_eq!(left, limits::SESSIONS_PER_USER_MAX);
    }

    #[test]
    fn a_session_ends_when_its_time_has_come() {
        let mut market = Market::founded();
        let owner = market.sign_up("acme", "customer");
        let session = market.engine.parties.sessions_of(user(owner)).next().expect("one").clone();
        let (end, due) = market.engine.deadlines.pop(session.expires_at).expect("it falls due");
        assert_eq!((end, due), (session.expires_at, Due::SessionEnds(session.id)));
        let mut out = Effects::default();
        market.engine.end_session(session.id, &mut out);
        assert_eq!(out.sessions.get(&session.id), Some(&Session { closed: true, ..session }));
        assert_eq!(market.engine.parties.sessions_of(user(owner)).count(), 0);
        assert_eq!(market.engine.next_deadline(), None);
    }
}
