//! Reads the project's texts: Rust as paths, with comments and strings put
//! aside; everything else as lines.
//!
//! Not a parser: enough of the language to see who names whom, and no dependency for it.

use std::fs;
use std::path::{Path, PathBuf};

/// One text of the project, with its code apart from its comments and strings.
pub struct Source {
    /// From the root of the project, with `/`.
    pub name: String,
    pub text: String,
    /// The text with comments and the insides of strings blanked, line by line as long as before.
    code: String,
}

impl Source {
    fn read(path: &Path) -> Option<Source> {
        let text = fs::read_to_string(path).ok()?;
        let name = path.strip_prefix(root()).expect("below the root").to_string_lossy();
        let code = if name.ends_with(".rs") { blank(&text) } else { String::new() };
        Some(Source { name: name.replace('\\', "/"), text, code })
    }

    /// The first part of its path below `src`: `src/engine/book.rs` is in `engine`.
    pub fn room(&self) -> &str {
        let below = self.name.strip_prefix("src/").unwrap_or(&self.name);
        let room = below.split('/').next().expect("split gives at least one part");
        room.strip_suffix(".rs").unwrap_or(room)
    }

    pub fn is_test(&self) -> bool {
        self.name.starts_with("tests/")
            || self.name.contains("/tests/")
            || self.name.ends_with("/tests.rs")
    }

    pub fn lines_before_tests(&self) -> usize {
        let is_tests = |line: &str| line.starts_with("#[cfg(test)]");
        let lines: Vec<&str> = self.code.lines().collect();
        lines
            .windows(2)
            .position(|pair| is_tests(pair[0]) && pair[1].trim_end().ends_with('{'))
            .unwrap_or(lines.len())
    }

    pub fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.lines().enumerate().map(|(index, text)| (index + 1, text))
    }

    pub fn has_macro(&self, line: usize, name: &str) -> bool {
        self.code.lines().nth(line - 1).is_some_and(|text| text.contains(&format!("{name}!")))
    }

    /// Every path in the code with its line, groups of `use` taken apart:
    /// `use a::{b, c::d}` is `a::b` and `a::c::d`.
    pub fn paths(&self) -> Vec<(usize, Vec<String>)> {
        let mut found = Vec::new();
        let tokens = tokens(&self.code);
        let mut depth_of_module = vec![];
        let mut depth = 0_usize;
        let mut at = 0;
        while at < tokens.len() {
            match tokens[at].text {
                "{" => depth += 1,
                "}" => {
                    depth = depth.saturating_sub(1);
                    depth_of_module.retain(|opened| *opened <= depth);
                }
                "mod" if tokens.get(at + 2).is_some_and(|token| token.text == "{") => {
                    depth_of_module.push(depth + 1);
                }
                _ => {}
            }
            let goes_on = at > 0 && tokens[at - 1].text == "::";
            if tokens[at].is_name() && !goes_on {
                let inside = depth_of_module.len();
                at = self.walk(&tokens, at, &mut Vec::new(), inside, &mut found);
            } else {
                at += 1;
            }
        }
        found
    }

    /// Follows one path from `at` through its groups; answers where the code goes on.
    fn walk(
        &self,
        tokens: &[Token<'_>],
        mut at: usize,
        prefix: &mut Vec<String>,
        inside: usize,
        found: &mut Vec<(usize, Vec<String>)>,
    ) -> usize {
        let line = tokens[at].line;
        let kept = prefix.len();
        while at < tokens.len() && (tokens[at].is_name() || tokens[at].text == "*") {
            prefix.push(tokens[at].text.to_owned());
            at += 1;
            if tokens.get(at).is_none_or(|token| token.text != "::") {
                break;
            }
            at += 1;
            if tokens.get(at).is_some_and(|token| token.text == "{") {
                at += 1;
                while at < tokens.len() && tokens[at].text != "}" {
                    if tokens[at].is_name() || tokens[at].text == "*" {
                        at = self.walk(tokens, at, prefix, inside, found);
                    } else {
                        at += 1;
                    }
                }
                prefix.truncate(kept);
                return at + 1;
            }
        }
        found.push((line, self.resolved(prefix, inside)));
        prefix.truncate(kept);
        at
    }

    /// The path with leading `super` and `self` resolved to `crate::...` where they leave the room.
    fn resolved(&self, path: &[String], inside: usize) -> Vec<String> {
        let mut module: Vec<String> = self
            .name
            .strip_prefix("src/")
            .unwrap_or(&self.name)
            .trim_end_matches(".rs")
            .split('/')
            .filter(|part| !["mod", "lib", "main"].contains(part))
            .map(str::to_owned)
            .collect();
        module.extend(vec!["inside".to_owned(); inside]);
        let ups = path.iter().take_while(|part| *part == "super").count();
        if ups == 0 {
            return path.to_vec();
        }
        module.truncate(module.len().saturating_sub(ups));
        let mut whole = vec!["crate".to_owned()];
        whole.extend(module);
        whole.extend_from_slice(&path[ups..]);
        whole
    }

    /// The room that a path leads to, when it leads to one of ours.
    pub fn room_named<'a>(&self, path: &'a [String]) -> Option<&'a str> {
        let from = path.first()?;
        let ours = from == "crate" || from == "headroom";
        path.get(1).filter(|_| ours && path.len() > 1).map(String::as_str)
    }
}

/// A name or a mark of the code.
struct Token<'a> {
    line: usize,
    text: &'a str,
}

impl Token<'_> {
    fn is_name(&self) -> bool {
        self.text.starts_with(is_name)
    }
}

pub fn is_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

fn tokens(code: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    for (index, text) in code.lines().enumerate() {
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let length = if is_name(first) {
                rest.find(|c| !is_name(c)).unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            if !first.is_whitespace() {
                found.push(Token { line: index + 1, text: &rest[..length] });
            }
            rest = &rest[length..];
        }
    }
    found
}

/// Comments and the insides of strings and characters become spaces; lines stay where they are.
fn blank(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < letters.len() {
        let here = letters[at];
        let next = letters.get(at + 1).copied();
        let end = match (here, next) {
            ('/', Some('/')) => find(&letters, at, |at| letters[at] == '\n'),
            ('/', Some('*')) => end_of_comment(&letters, at),
            ('"', _) => end_of_string(&letters, at),
            ('r', Some('"' | '#')) if !at.checked_sub(1).is_some_and(|b| is_name(letters[b])) => {
                end_of_raw_string(&letters, at)
            }
            ('\'', Some('\\')) => find(&letters, at + 3, |at| letters[at] == '\'') + 1,
            ('\'', Some(_)) if letters.get(at + 2) == Some(&'\'') => at + 3,
            _ => at,
        };
        let end = end.min(letters.len());
        if end == at {
            code.push(here);
            at += 1;
        } else {
            code.extend(letters[at..end].iter().map(|l| if *l == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    code
}

fn find(letters: &[char], from: usize, is_end: impl Fn(usize) -> bool) -> usize {
    (from..letters.len()).find(|at| is_end(*at)).unwrap_or(letters.len())
}

fn end_of_comment(letters: &[char], from: usize) -> usize {
    let (mut at, mut depth) = (from, 0_usize);
    while at + 1 < letters.len() {
        match (letters[at], letters[at + 1]) {
            ('/', '*') => {
                depth += 1;
                at += 2;
            }
            ('*', '/') => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    letters.len()
}

fn end_of_string(letters: &[char], from: usize) -> usize {
    let mut at = from + 1;
    while at < letters.len() && letters[at] != '"' {
        at += if letters[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// `r"..."` or `r#"..."#`; `from` itself when it is a raw name such as `r#type`.
fn end_of_raw_string(letters: &[char], from: usize) -> usize {
    let hashes = letters[from + 1..].iter().take_while(|letter| **letter == '#').count();
    if letters.get(from + 1 + hashes) != Some(&'"') {
        return from;
    }
    let closes = |at: usize| {
        letters[at] == '"'
            && letters[at + 1..].iter().take(hashes).filter(|l| **l == '#').count() == hashes
    };
    find(letters, from + 2 + hashes, closes) + 1 + hashes
}

#[test]
fn the_reader_sees_paths_and_not_words_in_texts() {
    let text = r##"
use crate::{engine::{Engine, command::Stamp}, store};
// use crate::http;
/* use crate::http; /* crate::main */ */
const A: &str = "crate::http \" crate::client";
const B: &str = r#"crate::http"#;
const C: char = '"';
mod inner { fn f() -> super::super::model::Minute { crate::http::x() } }
fn g<'a>(a: &'a super::book::Book) {}
"##;
    let name = "src/engine/order.rs".to_owned();
    let file = Source { name, code: blank(text), text: text.to_owned() };
    let rooms: Vec<(usize, String)> = file
        .paths()
        .iter()
        .filter_map(|(line, path)| Some((*line, file.room_named(path)?.to_owned())))
        .collect();
    let expected =
        [(2, "engine"), (2, "engine"), (2, "store"), (8, "engine"), (8, "http"), (9, "engine")];
    assert_eq!(rooms, expected.map(|(line, room)| (line, room.to_owned())));
    let out = "fn f() { super::super::http::x() }".to_owned();
    let out = Source { code: blank(&out), text: out, ..file };
    let leaves = out.paths().iter().any(|(_, path)| out.room_named(path) == Some("http"));
    assert!(leaves, "a room reached by climbing is a room named");
}

// -- Walking the project --

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Rust files below a folder, in order. None when the folder is not there.
pub fn rust(folder: &str) -> impl Iterator<Item = Source> {
    let paths = files(&root().join(folder));
    let paths = paths.into_iter().filter(|path| path.extension().is_some_and(|end| end == "rs"));
    paths.filter_map(|path| Source::read(&path))
}

/// Every text that people wrote: code, scripts, settings, migrations and documents.
pub fn project_texts() -> impl Iterator<Item = Source> {
    const KINDS: &[&str] =
        &["rs", "sql", "toml", "md", "py", "sh", "js", "css", "html", "yml", "yaml", "ts"];
    files(root())
        .into_iter()
        .filter(|path| match path.extension() {
            Some(end) => KINDS.iter().any(|kind| end == *kind),
            None => true,
        })
        .filter_map(|path| Source::read(&path))
}

/// What is built, bought or private is not ours to judge.
const NOT_OURS: &[&str] = &["target", "data", "node_modules", "vendor", "__pycache__", "LICENSE"];

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        let hidden = name.starts_with('.') && name != ".ci";
        if hidden || NOT_OURS.contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}
