//! Imports point down: which module may use which, checked in the sources.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, which is what it is for")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What each module may use, from the ground up (docs/design.md, "The house").
const FLOORS: &[(&str, &[&str])] = &[
    ("crypto", &[]),
    ("sse", &["kms", "proto", "crypto"]),
    ("clock", &[]),
    ("proto", &[]),
    ("store", &["crypto"]),
    ("iam", &["crypto"]),
    ("kms", &["store", "crypto"]),
    ("audit", &["store", "crypto"]),
    ("objects", &["store", "crypto", "sse"]),
    ("service", &["kms", "iam", "audit", "objects", "sse", "store", "crypto", "clock"]),
    ("transport", &["service", "kms", "audit", "objects", "sse", "crypto", "proto"]),
    ("instance", &["service", "audit", "transport", "kms", "sse", "crypto", "clock"]),
    ("config", &[]),
    ("cli", &["instance", "config", "clock", "service", "audit", "sse", "crypto", "proto"]),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The modules that a source names after `crate::`, comments and its tests aside.
fn used(text: &str) -> Vec<String> {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code = code.collect::<Vec<_>>().join("\n");
    let mut found = Vec::new();
    for part in code.split("crate::").skip(1) {
        if let Some(group) = part.strip_prefix('{') {
            let group = group.split(';').next().unwrap();
            let mut depth = 0;
            let mut name = String::new();
            for letter in group.chars() {
                match letter {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => found.push(std::mem::take(&mut name)),
                    letter if depth == 0 => name.push(letter),
                    _ => {}
                }
            }
            found.push(name);
        } else {
            found.push(part.to_owned());
        }
    }
    let module = |path: String| {
        let path = path.trim();
        let end = path.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(path.len());
        path[..end].to_owned()
    };
    found.into_iter().map(module).filter(|name| !name.is_empty()).collect()
}

#[test]
fn imports_point_down() {
    let floors: BTreeMap<_, _> = FLOORS.iter().copied().collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut wrong = Vec::new();
    for file in &files {
        let place = file.strip_prefix(&root).unwrap();
        let first = place.components().next().unwrap().as_os_str().to_str().unwrap();
        let module = first.trim_end_matches(".rs");
        if matches!(module, "lib" | "main") {
            continue;
        }
        let allowed = floors.get(module).unwrap_or_else(|| panic!("{module} has no floor"));
        for name in used(&std::fs::read_to_string(file).unwrap()) {
            if name != module && !allowed.contains(&name.as_str()) {
                wrong.push(format!("{} uses crate::{name}", place.display()));
            }
        }
    }
    assert!(files.len() > 50, "the sources were not found");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn groups_and_single_paths_are_both_seen() {
    assert_eq!(used("use crate::{audit, kms::{self, Error}, store};"), ["audit", "kms", "store"]);
    assert_eq!(
        used("use crate::store::{Row, Space};\nlet x = crate::iam::decide();"),
        ["store", "iam"]
    );
    assert_eq!(used("// crate::nothing"), Vec::<String>::new());
}

/// Rooms and ground are synchronous, without sockets, clocks or environment.
#[test]
fn async_stops_in_the_hall() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for room in ["crypto", "store", "iam", "kms", "audit", "objects"] {
        let mut files = Vec::new();
        sources(&root.join(room), &mut files);
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            for banned in ["tokio", "async fn", "std::net", "std::env", "Utc::now", "SystemTime"] {
                assert!(!text.contains(banned), "{} has {banned}", file.display());
            }
        }
    }
}
