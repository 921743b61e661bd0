//! The rooms of `packager/src` (its files and folders at the top level) import each other in one direction, on few levels.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Levels of rooms, `main.rs` included.
const MOST_LEVELS: usize = 9;

type Imports = BTreeMap<String, BTreeSet<String>>;

/// Rooms of the crate, and the rooms that each imports.
fn imports(src: &Path) -> Imports {
    let mut imports = Imports::new();
    read(src, None, &mut imports);
    let rooms: BTreeSet<String> = imports.keys().cloned().collect();
    for (room, named) in &mut imports {
        named.retain(|name| name != room && rooms.contains(name));
    }
    imports
}

fn read(folder: &Path, room: Option<&str>, imports: &mut Imports) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().expect("a name").to_string_lossy();
        let room = room.unwrap_or(&name);
        if path.is_dir() {
            read(&path, Some(room), imports);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = fs::read_to_string(&path).expect("a source file");
            let named = imports.entry(room.to_owned()).or_default();
            named.extend(named_rooms(&text, room == "main"));
        }
    }
}

/// Names that stand behind `crate::` in code; the crate's root declares its rooms and names them without it.
fn named_rooms(text: &str, is_root: bool) -> BTreeSet<String> {
    let code = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let mut found = BTreeSet::new();
    for line in code {
        let declared = line.trim_end_matches(';').rsplit_once("mod ");
        let declared = declared.filter(|(before, _)| is_root && !before.contains("//"));
        found.extend(declared.map(|(_, name)| name.to_owned()));
        for (at, before) in line.match_indices("crate::") {
            let rest = &line[at + before.len()..];
            let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
            found.insert(rest[..end.unwrap_or(rest.len())].to_owned());
        }
    }
    found
}

/// The number of levels from a room down, or the rooms of a cycle.
fn levels(imports: &Imports, room: &str, above: &mut Vec<String>) -> Result<usize, String> {
    if let Some(at) = above.iter().position(|other| other == room) {
        let cycle = above[at..].join(" -> ");
        return Err(format!("{cycle} -> {room}"));
    }
    above.push(room.to_owned());
    let mut deepest = 0;
    for below in imports.get(room).into_iter().flatten() {
        deepest = deepest.max(levels(imports, below, above)?);
    }
    above.pop();
    Ok(deepest + 1)
}

#[test]
fn rooms_import_each_other_in_one_direction_on_few_levels() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let imports = imports(&src);
    assert!(imports.len() > 20, "{imports:?}");
    for room in imports.keys() {
        let found = levels(&imports, room, &mut vec![]);
        let found = found.unwrap_or_else(|cycle| panic!("rooms import each other: {cycle}"));
        assert!(found <= MOST_LEVELS, "`{room}` stands on {found} levels");
    }
}

#[test]
fn a_cycle_is_found_wherever_it_is_entered() {
    let mut imports = Imports::new();
    for (room, text) in [
        ("command", "use crate::publish::Publication;"),
        ("publish", "    let x = crate::storage::open();"),
        (
            "storage",
            "// crate::command is named in a comment\nuse crate::exit::Exit;",
        ),
        ("exit", ""),
    ] {
        imports.insert(room.to_owned(), named_rooms(text, false));
    }
    assert_eq!(levels(&imports, "command", &mut vec![]), Ok(4));
    let back = named_rooms("use crate::{publish};\nuse crate::publish::Journal;", false);
    imports.insert("exit".to_owned(), back);
    for room in ["command", "publish", "storage", "exit"] {
        assert!(levels(&imports, room, &mut vec![]).is_err(), "{room}");
    }
}
