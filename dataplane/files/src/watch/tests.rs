//! Real folders, changed as editors, shells and mounts change them.

use std::fs;
use std::os::unix::fs::symlink;

use notify::event::{CreateKind, DataChange, Flag, MetadataKind, RemoveKind, RenameMode};
use tempfile::TempDir;

use super::*;

/// Longer than any machine takes; ends a test that would wait for ever.
const PATIENCE: Duration = Duration::from_secs(20);

type Change<'a> = &'a dyn Fn(&Path);

/// Watches `path` of a folder that `prepare` made; each change must be told.
fn check(path: &str, prepare: Change<'_>, changes: &[Change<'_>]) {
    let folder = TempDir::new().unwrap();
    prepare(folder.path());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut watcher = Watcher::start(&[PathBuf::from("-"), folder.path().join(path)]).unwrap();
    for (number, change) in changes.iter().enumerate() {
        change(folder.path());
        let told = runtime.block_on(async { tokio::time::timeout(PATIENCE, watcher.changed()).await });
        assert!(told.is_ok(), "{path}: change {number} was not told");
    }
}

fn write(at: &Path, name: &str) {
    let path = at.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, "a: b").unwrap();
}

/// As editors save: a new file takes the place of the old one.
fn replace(at: &Path, name: &str) {
    fs::write(at.join(".new"), "a: c").unwrap();
    fs::rename(at.join(".new"), at.join(name)).unwrap();
}

#[test]
fn files_are_watched_over_their_replacements() {
    check(
        "f.txt",
        &|at| write(at, "f.txt"),
        &[
            &|at| write(at, "f.txt"),
            &|at| replace(at, "f.txt"),
            &|at| replace(at, "f.txt"),
            &|at| write(at, "f.txt"),
            &|at| fs::remove_file(at.join("f.txt")).unwrap(),
            &|at| write(at, "f.txt"),
        ],
    );
    // One that is not there yet, and neither is its folder.
    check(
        "x/y/f.yaml",
        &|_| {},
        &[
            &|at| fs::create_dir(at.join("x")).unwrap(),
            &|at| fs::create_dir(at.join("x/y")).unwrap(),
            &|at| write(at, "x/y/f.yaml"),
            &|at| fs::rename(at.join("x"), at.join("z")).unwrap(),
            &|at| fs::rename(at.join("z"), at.join("x")).unwrap(),
            &|at| write(at, "x/y/f.yaml"),
        ],
    );
}

#[test]
fn folders_are_watched_with_all_below() {
    check(
        "d",
        &|at| write(at, "d/sub/f.yaml"),
        &[
            &|at| write(at, "d/g.yaml"),
            &|at| write(at, "d/sub/f.yaml"),
            &|at| replace(&at.join("d/sub"), "f.yaml"),
            &|at| fs::create_dir_all(at.join("d/v1.2/deep")).unwrap(),
            &|at| write(at, "d/v1.2/deep/h.yml"),
            &|at| fs::remove_file(at.join("d/v1.2/deep/h.yml")).unwrap(),
            &|at| fs::rename(at.join("d/v1.2"), at.join("d/v1.3")).unwrap(),
            &|at| write(at, "d/v1.3/deep/h.yml"),
            &|at| fs::remove_dir_all(at.join("d")).unwrap(),
            &|at| fs::create_dir(at.join("d")).unwrap(),
            &|at| write(at, "d/f.json"),
            // All of it is swapped at once.
            &|at| {
                write(at, "other/f.json");
                fs::rename(at.join("d"), at.join("gone")).unwrap();
                fs::rename(at.join("other"), at.join("d")).unwrap();
            },
            &|at| write(at, "d/f.json"),
        ],
    );
}

/// As kubelet changes a mounted ConfigMap: a new folder, and a link to it that takes the place of the old one.
fn publish(at: &Path, day: &str) {
    write(at, &format!("{day}/f.yaml"));
    symlink(day, at.join("..data_tmp")).unwrap();
    fs::rename(at.join("..data_tmp"), at.join("..data")).unwrap();
}

#[test]
fn links_are_watched_where_they_swap() {
    let mount = |at: &Path| {
        publish(at, "..1");
        symlink("..data/f.yaml", at.join("f.yaml")).unwrap();
    };
    for path in ["", "f.yaml"] {
        check(
            path,
            &mount,
            &[
                &|at| publish(at, "..2"),
                &|at| publish(at, "..3"),
                &|at| fs::remove_file(at.join("f.yaml")).unwrap(),
                &|at| symlink("..data/f.yaml", at.join("f.yaml")).unwrap(),
                &|at| publish(at, "..4"),
            ],
        );
    }
    // A file elsewhere that a folder links to, by a name that is no manifest's; and a folder by its link.
    let linked = |at: &Path| {
        write(at, "elsewhere/text");
        write(at, "releases/1/g.yaml");
        fs::create_dir(at.join("d")).unwrap();
        symlink(at.join("elsewhere/text"), at.join("d/f.yaml")).unwrap();
        symlink("../releases/1", at.join("d/current")).unwrap();
    };
    check(
        "d",
        &linked,
        &[
            &|at| write(at, "elsewhere/text"),
            &|at| replace(&at.join("elsewhere"), "text"),
            &|at| write(at, "releases/1/g.yaml"),
            &|at| {
                write(at, "releases/2/g.yaml");
                symlink("../releases/2", at.join("new")).unwrap();
                fs::rename(at.join("new"), at.join("d/current")).unwrap();
            },
            &|at| write(at, "releases/2/g.yaml"),
        ],
    );
}

#[test]
fn a_cancelled_wait_loses_nothing() {
    let folder = TempDir::new().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut watcher = Watcher::start(&[folder.path().to_owned()]).unwrap();
    write(folder.path(), "f.yaml");
    runtime.block_on(async {
        // The event is seen, and the wait for quiet cut short.
        while !watcher.is_due {
            tokio::select! {
                biased;
                () = watcher.changed() => panic!("told before it was quiet"),
                () = tokio::task::yield_now() => {}
            }
        }
        let told = tokio::time::timeout(PATIENCE, watcher.changed()).await;
        assert!(told.is_ok());
        assert!(!watcher.is_due);
    });
}

#[test]
fn only_what_may_change_manifests_is_told() {
    let folder = TempDir::new().unwrap();
    let root = folder.path().canonicalize().unwrap();
    write(&root, "d/f.yaml");
    write(&root, "named.txt");
    let targets = Targets::new(&[root.join("d"), root.join("named.txt")]);
    let check = |kind: EventKind, name: &str, expected: bool| {
        let event = Event::new(kind).add_path(root.join(name));
        assert_eq!(targets.are_met_by(&event), expected, "{event:?}");
    };
    let closed = EventKind::Access(AccessKind::Close(AccessMode::Write));
    let created = EventKind::Create(CreateKind::Any);
    let renamed = EventKind::Modify(ModifyKind::Name(RenameMode::To));
    for (kind, name, expected) in [
        (closed, "d/f.yaml", true),
        (closed, "d/new.YML", true),
        (closed, "d/notes.txt", false),
        (closed, "d/.f.yaml.swp", false),
        (closed, "named.txt", true),
        (closed, "other.yaml", false),
        (created, "d/v1.2", true),
        (created, "d/.hidden", false),
        (created, "other", false),
        (renamed, "d/f.yaml", true),
        (renamed, "d", true),
        (renamed, "named.txt", true),
        (EventKind::Remove(RemoveKind::Any), "d", true),
        (EventKind::Modify(ModifyKind::Metadata(MetadataKind::Any)), "d/f.yaml", true),
        // What is being written is not read before it is closed.
        (EventKind::Modify(ModifyKind::Data(DataChange::Any)), "d/f.yaml", cfg!(not(target_os = "linux"))),
        // Our own reading.
        (EventKind::Access(AccessKind::Open(AccessMode::Any)), "d/f.yaml", false),
        (EventKind::Access(AccessKind::Close(AccessMode::Read)), "d/f.yaml", false),
    ] {
        check(kind, name, expected);
    }
    assert!(targets.are_met_by(&Event::new(EventKind::Other).set_flag(Flag::Rescan)));
    // What the mount of a ConfigMap swaps is hidden, and on the way to what is not.
    publish(&root.join("d"), "..1");
    symlink("..data/g.yaml", root.join("d/g.yaml")).unwrap();
    let targets = Targets::new(&[root.join("d")]);
    assert!(targets.are_met_by(&Event::new(renamed).add_path(root.join("d/..data"))));
}
