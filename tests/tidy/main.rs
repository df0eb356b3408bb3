//! The house rules as facts: who may name whom, how long, how called, and nothing half-done.
//!
//! Reads the source as text and knows nothing of what it does. Every test gathers all faults before it
//! fails, one readable sentence each, so that one run shows the whole work.

mod claims;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use source::{Source, is_name, project_texts, root, rust};

// -- The floors --

/// A room, and the rooms it may name. A new room must be given its place here before it builds.
const ROOMS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("engine", &["model"]),
    ("store", &["model", "engine"]),
    ("view", &["model", "engine"]),
    ("telemetry", &["config"]),
    ("config", &["model"]),
    ("sequencer", &["model", "engine", "store", "view"]),
    ("courier", &["model", "engine", "store", "view"]),
    ("console", &[]),
    ("http", &["model", "engine", "store", "view", "sequencer", "courier", "console", "export"]),
    // The command line is a guest: it knows the words and the public API, nothing of the house.
    ("client", &["model"]),
    ("demo", BELOW_MAIN),
    ("bench", BELOW_MAIN),
    ("serve", BELOW_MAIN),
    ("verify", &["model", "engine", "store"]),
    ("backup", &["store"]),
    ("export", &["model", "engine", "store"]),
    ("main", EVERYTHING),
];

const BELOW_MAIN: &[&str] = &[
    "model",
    "engine",
    "store",
    "view",
    "telemetry",
    "config",
    "sequencer",
    "courier",
    "console",
    "http",
    "client",
    "serve",
    "verify",
    "export",
];

const EVERYTHING: &[&str] = &[
    "model",
    "engine",
    "store",
    "view",
    "telemetry",
    "config",
    "sequencer",
    "courier",
    "console",
    "http",
    "client",
    "serve",
    "verify",
    "export",
    "backup",
    "demo",
    "bench",
];

/// What may be named only where it is at home: a path, and the rooms (or files) it is at home in.
const AT_HOME: &[(&[&str], &[&str], &str)] = &[
    (
        &["diesel", "diesel_async", "diesel_migrations", "libsqlite3_sys", "r2d2"],
        &["store"],
        "only the store knows the databases",
    ),
    (
        &["tokio_postgres", "tokio_postgres_rustls"],
        &["store", "bench"],
        "only the store knows the databases (the bench runs its rivals on one)",
    ),
    (
        &[
            "actix_web",
            "actix_http",
            "jsonwebtoken",
            "argon2",
            "ed25519_dalek",
            "utoipa",
            "utoipa_actix_web",
            "utoipa_swagger_ui",
        ],
        &["http", "src/bench/peer.rs"],
        "only the door knows HTTP, tokens and passwords (the bench's rival has a door of its own)",
    ),
    (
        &["tokio", "futures_util"],
        &[
            "sequencer",
            "courier",
            "http",
            "client",
            "serve",
            "demo",
            "bench",
            "main",
            "src/store/postgres.rs",
        ],
        "waiting is for the rooms at the edge and for the PostgreSQL connection",
    ),
    (
        &["tracing_subscriber", "metrics_exporter_prometheus"],
        &["telemetry", "http"],
        "telemetry is set up in one place",
    ),
    (
        &["clap"],
        &["config", "client", "serve", "demo", "bench", "main"],
        "flags are read at the top",
    ),
];

/// What the two pure floors never touch.
const IMPURE: &[(&str, &str)] = &[
    ("std::fs", "a pure room opens no file"),
    ("std::net", "a pure room opens no socket"),
    ("stdin", "a pure room reads nothing"),
    ("stdout", "a pure room writes nothing"),
    ("stderr", "a pure room writes nothing"),
    ("std::env", "a pure room has no environment"),
    ("std::process", "a pure room starts and stops nothing"),
    ("std::thread", "a pure room has no threads"),
    ("std::sync::Mutex", "a pure room has one caller"),
    ("std::sync::RwLock", "a pure room has one caller"),
    ("std::sync::atomic", "a pure room has one caller"),
    ("std::cell", "a pure room changes what it was lent, not what it hides"),
    ("SystemTime", "time is an argument"),
    ("Instant", "time is an argument"),
    ("jiff::Zoned::now", "time is an argument"),
    ("jiff::Timestamp::now", "time is an argument"),
    ("rand", "chance is an argument"),
    ("Uuid::now_v7", "identity is an argument"),
    ("Uuid::new_v4", "identity is an argument"),
    ("HashMap", "its order differs on every run: use BTreeMap"),
    ("HashSet", "its order differs on every run: use BTreeSet"),
    ("tracing", "a pure room does not log"),
    ("metrics", "a pure room counts nothing on the side"),
    ("println", "a pure room does not talk"),
    ("eprintln", "a pure room does not talk"),
];

/// Rooms that talk to a person at a terminal.
const TALKERS: &[&str] = &["main", "client", "serve", "demo", "bench", "config"];

#[test]
fn every_room_has_its_place_on_a_floor() {
    let known: BTreeSet<&str> = ROOMS.iter().map(|(room, _)| *room).collect();
    let mut faults = Faults::default();
    for file in rust("src") {
        let room = file.room();
        if room != "lib" && !known.contains(room) {
            faults.add(&file, 1, format_args!("`{room}` is a room without a floor: give it one"));
        }
    }
    faults.none();
}

#[test]
fn a_room_names_only_the_rooms_below_it() {
    let places: BTreeMap<&str, &[&str]> = ROOMS.iter().copied().collect();
    let mut faults = Faults::default();
    for file in rust("src") {
        let room = file.room();
        let Some(allowed) = places.get(room) else { continue };
        for (line, path) in file.paths() {
            let Some(named) = file.room_named(&path) else { continue };
            if named != room && places.contains_key(named) && !allowed.contains(&named) {
                faults.add(
                    &file,
                    line,
                    format_args!("`{room}` may not know `{named}`, which is not below it"),
                );
            }
        }
    }
    faults.none();
}

#[test]
fn the_door_reads_the_store_and_never_writes_it() {
    let mut faults = Faults::default();
    for file in rust("src").filter(|file| file.room() == "http") {
        for (line, path) in file.paths() {
            let below = match path.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                ["crate", "store", below, ..] => below.to_owned(),
                _ => continue,
            };
            if below != "read" && below.starts_with(char::is_lowercase) {
                faults.add(&file, line, format_args!("`store::{below}` is not for the door"));
            }
        }
    }
    faults.none();
}

#[test]
fn each_library_stays_in_the_rooms_where_it_is_at_home() {
    let mut faults = Faults::default();
    for file in rust("src") {
        for (line, path) in file.paths() {
            for (crates, homes, reason) in AT_HOME {
                let at_home = homes.contains(&file.room()) || homes.contains(&file.name.as_str());
                if crates.contains(&path[0].as_str()) && !at_home && file.room() != "lib" {
                    faults.add(&file, line, format_args!("`{}` here: {reason}", path[0]));
                }
            }
        }
    }
    faults.none();
}

#[test]
fn the_pure_rooms_are_pure() {
    let mut faults = Faults::default();
    for file in rust("src").filter(|file| matches!(file.room(), "model" | "engine")) {
        for (line, path) in file.paths() {
            for (banned, reason) in IMPURE {
                let banned: Vec<&str> = banned.split("::").collect();
                if path.windows(banned.len()).any(|part| part == banned) {
                    faults.add(&file, line, format_args!("`{}`: {reason}", banned.join("::")));
                }
            }
        }
        for (line, text) in file.code_lines() {
            if text.contains("async fn") || text.contains(".await") || text.contains("async move") {
                faults.add(&file, line, format_args!("a pure room never waits"));
            }
        }
    }
    faults.none();
}

#[test]
fn only_the_rooms_at_the_terminal_print() {
    let mut faults = Faults::default();
    for file in rust("src").filter(|file| !TALKERS.contains(&file.room())) {
        for (line, path) in file.paths() {
            if let Some(name) = path.last().filter(|name| {
                ["println", "eprintln", "print", "eprint", "dbg"].contains(&name.as_str())
            }) && file.has_macro(line, name)
            {
                faults.add(&file, line, format_args!("`{name}!` here: log it, or return it"));
            }
        }
    }
    faults.none();
}

// -- Names --

/// Words that say that somebody wrote code, and not what it is about.
const EMPTY_WORDS: &[&str] = &[
    "util", "utils", "helper", "helpers", "common", "misc", "manager", "service", "impl", "base",
    "dto", "handler", "handlers",
];

#[test]
fn files_and_types_are_called_by_what_they_are() {
    let mut faults = Faults::default();
    for file in rust("src").chain(rust("tests")).chain(rust("benches")) {
        for part in Path::new(&file.name).with_extension("").components() {
            let part = part.as_os_str().to_string_lossy().into_owned();
            if let Some(word) = empty_word(&part) {
                faults.add(&file, 1, format_args!("a file called `{word}` has no plain name yet"));
            }
        }
        for (line, text) in file.code_lines() {
            if let Some(name) = declared_type(text)
                && let Some(word) = empty_word(name)
            {
                faults.add(&file, line, format_args!("`{name}`: `{word}` says nothing"));
            }
        }
    }
    faults.none();
}

/// The type that a line declares.
fn declared_type(text: &str) -> Option<&str> {
    let text = text.trim_start();
    let text = match text.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => rest.split_once(')')?.1,
        Some(rest) => rest,
        None => text,
    };
    let (kind, rest) = text.trim_start().split_once(' ')?;
    let is_type = ["struct", "enum", "trait", "type", "union", "mod"].contains(&kind);
    let end = rest.find(|c: char| !is_name(c)).unwrap_or(rest.len());
    is_type.then(|| &rest[..end]).filter(|name| !name.is_empty())
}

/// The empty word that a name begins or ends with: `BaseOrder`, `order_service`, `Handler`.
fn empty_word(name: &str) -> Option<String> {
    let mut spaced = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() {
            spaced.push('_');
        }
        spaced.extend(letter.to_lowercase());
    }
    let words: Vec<&str> = spaced.split('_').filter(|word| !word.is_empty()).collect();
    let whole = words.len() == 1;
    let first = words.first().filter(|word| whole || ["base", "common", "misc"].contains(*word));
    let last = words.last().filter(|word| whole || !["base", "common", "impl"].contains(*word));
    let found = [first, last].into_iter().flatten().find(|word| EMPTY_WORDS.contains(*word));
    found.map(|word| (*word).to_owned())
}

#[test]
fn empty_words_are_found_where_they_are_and_nowhere_else() {
    for name in ["BaseOrder", "order_service", "Handler", "utils", "OrderDto", "misc_things"] {
        assert!(empty_word(name).is_some(), "{name} should be found");
    }
    for name in ["ShareBase", "Servicing", "Order", "Database", "implied", "Commoner", "http"] {
        assert_eq!(empty_word(name), None, "{name} is a plain name");
    }
}

// -- Sizes and shapes --

/// About five hundred lines is a page; beyond six hundred a file is split by noun. Tests not counted.
const FILE_LINES_MAX: usize = 600;
const LINE_LENGTH_MAX: usize = 100;

#[test]
fn no_file_outgrows_its_page() {
    let mut faults = Faults::default();
    for file in rust("src").filter(|file| !file.is_test()) {
        let lines = file.lines_before_tests();
        if lines > FILE_LINES_MAX {
            faults.add(
                &file,
                FILE_LINES_MAX,
                format_args!("{lines} lines without tests, {FILE_LINES_MAX} is the most"),
            );
        }
    }
    faults.none();
}

#[test]
fn no_line_runs_off_the_page() {
    let mut faults = Faults::default();
    for file in rust("src") {
        for (index, text) in file.text.lines().enumerate() {
            let length = text.chars().count();
            if length > LINE_LENGTH_MAX {
                faults.add(&file, index + 1, format_args!("{length} characters"));
            }
        }
    }
    faults.none();
}

#[test]
fn every_file_says_first_what_it_is() {
    let mut faults = Faults::default();
    for file in rust("src").chain(rust("tests")).chain(rust("benches")) {
        if !file.text.starts_with("//! ") {
            faults.add(&file, 1, format_args!("begins without `//!`: what does this room know?"));
        }
    }
    faults.none();
}

#[test]
fn every_public_type_has_a_sentence() {
    let mut faults = Faults::default();
    for file in rust("src").filter(|file| !file.is_test()) {
        let lines: Vec<&str> = file.text.lines().collect();
        for (index, text) in lines.iter().enumerate() {
            let starts = ["pub struct ", "pub enum ", "pub trait ", "pub type "];
            if !starts.iter().any(|start| text.starts_with(start)) {
                continue;
            }
            let documented = lines[..index]
                .iter()
                .rev()
                .take_while(|above| !above.is_empty() && !above.starts_with('}'))
                .any(|above| above.starts_with("///") || above.starts_with("#[doc"));
            if !documented {
                faults.add(&file, index + 1, format_args!("`{text}` has no `///` above it"));
            }
        }
    }
    faults.none();
}

// -- Nothing half-done --

#[test]
fn nothing_is_half_done() {
    // Written in halves, so that this file does not find itself.
    let in_code = [concat!("to", "do!("), concat!("unimpl", "emented!("), concat!("#[ig", "nore")];
    let anywhere = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
    let mut faults = Faults::default();
    for file in project_texts() {
        let is_rust = file.name.ends_with(".rs");
        for (index, text) in file.text.lines().enumerate() {
            let code = in_code.iter().filter(|_| is_rust).find(|word| text.contains(**word));
            let word = anywhere.iter().find(|word| has_word(text, word));
            if let Some(found) = code.or(word) {
                faults.add(&file, index + 1, format_args!("`{found}`: finish it or leave it out"));
            }
        }
    }
    faults.none();
}

#[test]
fn nothing_points_at_one_machine() {
    let places = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("../sha", "red")];
    let mut faults = Faults::default();
    for file in project_texts().filter(|file| !file.is_test()) {
        for (index, text) in file.text.lines().enumerate() {
            if let Some(place) = places.iter().find(|place| text.contains(**place)) {
                faults.add(&file, index + 1, format_args!("`{place}` exists on one machine only"));
            }
        }
    }
    faults.none();
}

fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(is_name) && !after.is_some_and(is_name)
    })
}

// -- Migrations --

#[test]
fn migrations_are_twins() {
    let [sqlite, postgres] = ["sqlite", "postgres"].map(|database| {
        let folder = root().join("migrations").join(database);
        let entries = fs::read_dir(&folder)
            .unwrap_or_else(|fault| panic!("migrations/{database} can't be read: {fault}"));
        entries
            .map(|entry| entry.expect("a folder can be listed").path())
            .filter(|path| path.is_dir())
            .map(|path| path.file_name().expect("a name").to_string_lossy().into_owned())
            .collect::<BTreeSet<String>>()
    });
    assert!(!sqlite.is_empty(), "there is no migration at all");
    let alone: Vec<&String> = sqlite.symmetric_difference(&postgres).collect();
    assert!(alone.is_empty(), "migrations of one database without their twin: {alone:?}");
    for name in &sqlite {
        for database in ["sqlite", "postgres"] {
            let up = root().join("migrations").join(database).join(name).join("up.sql");
            assert!(up.is_file(), "migrations/{database}/{name} has no up.sql");
        }
    }
}

// -- What was found --

/// Everything that is wrong, told at once.
#[derive(Default)]
struct Faults(String);

impl Faults {
    fn add(&mut self, file: &Source, line: usize, what: std::fmt::Arguments<'_>) {
        writeln!(self.0, "  {}:{line}: {what}", file.name).expect("a string takes any text");
    }

    #[track_caller]
    fn none(self) {
        let count = self.0.lines().count();
        assert!(self.0.is_empty(), "{count} against the house rules:\n{}", self.0);
    }
}
