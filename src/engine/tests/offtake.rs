//! The part of the script language that is about backstops. A program's line goes by its name:
//! `credit V` looks at what is left of the cap.
//!
//! ```text
//! program  V 1:1500 backstop=1.50/72/20000 pools=A   price, hours of lead, cap
//! agree    V [backstop=1.60/72/30000]     new terms: with another backstop, or without one
//! backed   O1 L1 [2]                      the second contract bought of L1, O1 from now on
//! ```

use super::super::Command;
use super::super::program::{BackstopTerms, ProgramTerms};
use super::script::{Stage, money, number, price};
use crate::model::id::{ListingId, ProgramId};

impl Stage {
    /// Says a line about backstops; `None` when it is none.
    pub fn run_offtake(&mut self, words: &[&str]) -> Option<String> {
        Some(match *words {
            ["agree", program, ..] => {
                let backstop = words.iter().find_map(|it| it.strip_prefix("backstop="));
                self.agree(program, backstop.map(backstop_terms))
            }
            ["backed", name, listing] => self.backed(name, listing, 1),
            ["backed", name, listing, place] => {
                let place = place.parse().expect("a place");
                self.backed(name, listing, place)
            }
            _ => return None,
        })
    }

    fn agree(&mut self, program: &str, backstop: Option<BackstopTerms>) -> String {
        let id = ProgramId::new(self.named(program));
        let before = self.engine.programs.program(id).expect("a program");
        let expect = before.version;
        let terms = ProgramTerms { backstop, ..before.terms.as_ref().clone() };
        self.tell("operator", Command::AmendProgram { id, expect, terms })
    }

    /// Names a contract that a backstop bought, by the listing it is of.
    fn backed(&mut self, name: &str, listing: &str, place: usize) -> String {
        let listing = ListingId::new(self.named(listing));
        let all = self.engine.contracts.iter();
        let bought = all.filter(|it| self.engine.is_ordered(it).is_err());
        let mut of_it: Vec<_> =
            bought.filter(|it| it.allocations.iter().any(|draw| draw.listing == listing)).collect();
        of_it.sort_by_key(|it| (it.window.start(), it.window.end()));
        let Some(id) = of_it.get(place - 1).map(|it| it.id) else { return "nothing".to_owned() };
        self.rename(name, id.uuid());
        self.show_contract(name)
    }
}

/// `1.50/72/20000`: price, hours of lead, cap.
pub fn backstop_terms(text: &str) -> BackstopTerms {
    let parts: Vec<&str> = text.split('/').collect();
    let (price, lead_hours, cap) = (price(parts[0]), number(parts[1]), money(parts[2]));
    BackstopTerms { price, lead_hours, cap }
}
