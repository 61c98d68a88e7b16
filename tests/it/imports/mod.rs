//! Finds which file of a Rust crate imports from which, based on the paths in the source text.
//!
//! A path is followed to the file that declares the item: through `use`, its aliases, and modules that only re-export an item.
//! Paths count wherever they appear, in a `use` or in code, and whether they begin with `crate`, `super`, `self` or a name
//! introduced by a `use` or `mod`. Items that exist only in tests do not count.

mod tokens;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tokens::{Token, tokens, without_tests};

/// Module names, starting at the crate's root.
type Module = Vec<String>;

/// A file of the crate.
#[derive(Debug, Default)]
struct File {
    name: String,
    /// The paths that its `use` items import, by the name that each is given.
    names: BTreeMap<String, Module>,
    /// The paths that its text mentions.
    mentions: Vec<Module>,
}

/// The imports of a crate.
#[derive(Debug)]
pub(crate) struct Imports {
    used: BTreeMap<String, BTreeSet<String>>,
}

impl Imports {
    /// The imports of the files in a directory.
    pub(crate) fn read(root: &Path) -> Imports {
        let mut files = Vec::new();
        collect(root, root, &mut files);
        Imports::of(files)
    }

    /// The imports of files, given as texts with names relative to `src/`.
    pub(crate) fn of(texts: Vec<(String, String)>) -> Imports {
        let is_test = |name: &str| name.ends_with("tests.rs") || name.contains("tests/");
        let modules: BTreeMap<Module, File> = texts
            .into_iter()
            .filter(|(name, _)| !is_test(name))
            .map(|(name, text)| (module_of(&name), File { name, ..parse(&without_tests(tokens(&text))) }))
            .collect();
        let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (module, file) in &modules {
            let own = used.entry(file.name.clone()).or_default();
            for path in &file.mentions {
                let found = absolute(&modules, module, path).and_then(|path| declaring(&modules, &path, 0));
                own.extend(found.filter(|found| *found != file.name));
            }
        }
        Imports { used }
    }

    /// Each file with the files that it imports from.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &BTreeSet<String>)> {
        self.used.iter().map(|(name, used)| (name.as_str(), used))
    }

    /// The largest sets of files that all import from each other, directly or indirectly.
    pub(crate) fn circles(&self) -> Vec<Vec<String>> {
        let reached: BTreeMap<&str, BTreeSet<&str>> =
            self.used.keys().map(|f| (f.as_str(), self.reach(f))).collect();
        let both = |a: &str, b: &str| reached[a].contains(b) && reached[b].contains(a);
        let circle =
            |file: &str| self.used.keys().filter(|other| both(file, other)).cloned().collect::<Vec<_>>();
        let circles: BTreeSet<Vec<String>> =
            self.used.keys().map(|file| circle(file)).filter(|c| !c.is_empty()).collect();
        circles.into_iter().collect()
    }

    fn reach<'a>(&'a self, file: &str) -> BTreeSet<&'a str> {
        let (mut seen, mut next) = (BTreeSet::new(), vec![file]);
        while let Some(file) = next.pop() {
            for used in &self.used[file] {
                if seen.insert(used.as_str()) {
                    next.push(used);
                }
            }
        }
        seen
    }
}

fn collect(root: &Path, dir: &Path, files: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let name = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
            files.push((name, std::fs::read_to_string(&path).unwrap()));
        }
    }
}

fn module_of(name: &str) -> Module {
    let path = name.strip_suffix(".rs").unwrap();
    let path = path.strip_suffix("/mod").unwrap_or(path);
    if path == "lib" { Vec::new() } else { path.split('/').map(str::to_owned).collect() }
}

/// A path from the crate's root; `None` for a path into another crate, or to something that does not belong to a module.
fn absolute(modules: &BTreeMap<Module, File>, module: &[String], path: &[String]) -> Option<Module> {
    let (first, rest) = path.split_first()?;
    let mut base = module.to_vec();
    match first.as_str() {
        "crate" => base.clear(),
        "self" => {}
        "super" => {
            base.pop()?;
            return absolute(modules, &base, &[&["self".to_owned()], rest].concat());
        }
        name => {
            base.push(first.clone());
            if modules.contains_key(&base) {
                return Some([&base[..], rest].concat());
            }
            // A path that begins with the name it is given, as in `use serde_json`, belongs to another crate.
            let path = modules.get(module)?.names.get(name).filter(|path| path.first() != Some(first))?;
            return absolute(modules, module, &[path, rest].concat());
        }
    }
    match rest.first().map(String::as_str) {
        Some("super") => absolute(modules, &base, rest),
        _ => Some([&base[..], rest].concat()),
    }
}

/// The name of the file that declares the item at a path; `None` if the path is itself a module.
fn declaring(modules: &BTreeMap<Module, File>, path: &[String], depth: usize) -> Option<String> {
    assert!(depth < 20, "{path:?} is passed on in a circle");
    let mut length = (0..=path.len()).rev().find(|length| modules.contains_key(&path[..*length]))?;
    // `pub use replay::replay` gives an item the name of a module.
    if length == path.len()
        && length > 0
        && modules[&path[..length - 1]].names.contains_key(&path[length - 1])
    {
        length -= 1;
    }
    let (module, item) = path.split_at(length);
    let file = &modules[module];
    let (name, rest) = item.split_first()?;
    match file.names.get(name).and_then(|used| absolute(modules, module, used)) {
        Some(used) => declaring(modules, &[&used[..], rest].concat(), depth + 1),
        None => Some(file.name.clone()),
    }
}

/// The names that a file's `use` items import, and the paths in the rest of its text.
fn parse(tokens: &[Token]) -> File {
    let mut file = File::default();
    let (mut passed_on, mut single) = (Vec::new(), BTreeSet::new());
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at].is("mod") {
            at += 2;
        } else if tokens[at].is("use") {
            let public = at > 0 && (tokens[at - 1].is("pub") || tokens[at - 1].is(")"));
            let mut found = Vec::new();
            at = tree(tokens, at + 1, &[], &mut found);
            for (name, path) in found {
                match public {
                    true => passed_on.push((name.clone(), path.clone())),
                    false => file.mentions.push(path.clone()),
                }
                assert!(name != "*", "a glob import hides what is imported: {path:?}");
                file.names.insert(name, path);
            }
        } else if let Some(mut path) = tokens[at].name().map(|name| vec![name]) {
            at += 1;
            while let (Some(colons), Some(next)) = (tokens.get(at), tokens.get(at + 1)) {
                let Some(name) = next.name().filter(|_| colons.is("::")) else { break };
                path.push(name);
                at += 2;
            }
            // A single name counts through the `use` that imported it.
            single.extend(path.first().cloned());
            if path.len() > 1 {
                file.mentions.push(path);
            }
        } else {
            at += 1;
        }
    }
    // An item that a `pub use` re-exports is used by the modules that import it from there, and by the file itself only if it
    // mentions the item again.
    file.mentions
        .extend(passed_on.into_iter().filter(|(name, _)| single.contains(name)).map(|(_, path)| path));
    file
}

/// The names and paths of a `use` tree that begins at `at`. Returns where it ends.
fn tree(tokens: &[Token], mut at: usize, prefix: &[String], found: &mut Vec<(String, Module)>) -> usize {
    let mut path = prefix.to_vec();
    loop {
        if tokens[at].is("{") {
            at += 1;
            while !tokens[at].is("}") {
                at = tree(tokens, at, &path, found);
                at += usize::from(tokens[at].is(","));
            }
            return at + 1;
        }
        if tokens[at].is("*") {
            found.push(("*".to_owned(), path));
            return at + 1;
        }
        match tokens[at].name() {
            // `{self, ...}` means the path before the braces.
            Some(name) if name == "self" && !path.is_empty() => {}
            Some(name) => path.push(name),
            None => {}
        }
        at += 1;
        if tokens[at].is("::") {
            at += 1;
        } else if tokens[at].is("as") {
            found.push((tokens[at + 1].name().unwrap_or_default(), path));
            return at + 2;
        } else {
            found.push((path.last().cloned().unwrap_or_default(), path));
            return at;
        }
    }
}
