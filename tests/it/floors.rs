//! Which file of `src/` imports from which: each module imports only from floors below it, and no files import each other in a circle.
#![cfg(not(target_arch = "wasm32"))]

use std::collections::BTreeSet;
use std::path::Path;

use crate::imports::Imports;

/// Modules by floor, lowest first. Modules of the same floor may import each other.
const FLOORS: &[&[&str]] = &[
    &["clock", "dtype", "error", "future", "names", "rng"],
    &["fit", "format", "text"],
    &["gpu"],
    &["kernel"],
    &["cpu", "gemm", "reference"],
    &["model"],
    &["zo"],
    &["train"],
    &["cli", "web"],
];

/// Files that import each other in a circle, and why they may. Each circle is within one small module.
const CIRCLES: &[(&[&str], &str)] = &[(
    &["gpu/device.rs", "gpu/executor.rs"],
    "the device owns its executor, which submits to that device: two halves of one type",
)];

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

fn imports() -> Imports {
    Imports::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
}

/// The module at the top of a path such as `text/task/mod.rs`.
fn top(file: &str) -> &str {
    file.split(['/', '.']).next().unwrap()
}

#[test]
fn every_module_imports_from_below() {
    let mut wrong = Vec::new();
    for (file, used) in imports().files() {
        if ["lib", "main"].contains(&top(file)) {
            continue;
        }
        let own = floor(top(file)).unwrap_or_else(|| panic!("{file} is on no floor"));
        wrong.extend(
            used.iter().filter(|other| floor(top(other)) > Some(own)).map(|other| format!("{file}: {other}")),
        );
    }
    assert!(wrong.is_empty(), "imports from a floor above:\n{}", wrong.join("\n"));
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let found: BTreeSet<Vec<String>> = imports().circles().into_iter().collect();
    let allowed: BTreeSet<Vec<String>> =
        CIRCLES.iter().map(|(files, _)| files.iter().map(|file| file.to_string()).collect()).collect();
    let list =
        |circles: Vec<&Vec<String>>| circles.iter().map(|c| c.join(" <-> ")).collect::<Vec<_>>().join("\n");
    let new = list(found.difference(&allowed).collect());
    assert!(new.is_empty(), "files that import each other:\n{new}");
    let gone = list(allowed.difference(&found).collect());
    assert!(gone.is_empty(), "these circles are gone, so remove them from the list:\n{gone}");
}

#[test]
fn paths_of_every_form_are_found() {
    let files = [
        ("lib.rs", "pub mod a; pub mod b;"),
        ("a/mod.rs", "mod x; pub(crate) mod y; pub use x::{One, Two as Deux}; pub struct Own;"),
        ("a/x.rs", "use super::y::{self, f as g}; pub struct One; pub struct Two; fn h() { y::k(); g() }"),
        ("a/y.rs", "pub fn f() { /* crate::b::T */ let _ = \"crate::b\"; let _ = 'a'; } pub fn k<'a>() {}"),
        (
            "b.rs",
            "use crate::a; struct T(a::Deux); fn f() -> super::a::Own { todo!() }
            #[cfg(test)] mod tests { use crate::a::y::f; }",
        ),
    ];
    let imports = Imports::of(files.map(|(name, text)| (name.to_owned(), text.to_owned())).to_vec());
    let used = |file: &str| {
        imports.files().find(|(name, _)| *name == file).unwrap().1.iter().cloned().collect::<Vec<_>>()
    };
    assert_eq!(used("lib.rs"), [""; 0]);
    assert_eq!(used("a/mod.rs"), [""; 0]);
    assert_eq!(used("a/x.rs"), ["a/y.rs"]);
    assert_eq!(used("a/y.rs"), [""; 0]);
    // `a::Deux` is declared in a/x.rs and only re-exported by a/mod.rs.
    assert_eq!(used("b.rs"), ["a/mod.rs", "a/x.rs"]);
    assert_eq!(imports.circles(), [[""; 0]; 0]);
}
