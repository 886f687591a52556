//! Real folders, and the files that are found in them.

use std::os::fd::AsRawFd as _;
use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;
use crate::catalog;

/// Writes each file, with its folders.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn namespace(name: &str) -> String {
    format!("---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n")
}

/// Each file as `name: objects; what is wrong`, with the folder written as `.`.
fn shown(folder: &TempDir, files: &[File]) -> Vec<String> {
    let root = folder.path().display().to_string();
    let line = |file: &File| {
        let objects: Vec<String> = file.objects.iter().map(|object| object.reference().name.to_string()).collect();
        let findings: Vec<String> = file.findings.iter().map(|finding| format!("; {}", finding.fault.message())).collect();
        format!("{}: {}{}", file.source.name(), objects.join(" "), findings.concat()).replace(&root, ".")
    };
    files.iter().map(line).collect()
}

fn input(folder: &TempDir, paths: &[&str]) -> Input {
    let path = |path: &&str| if *path == "-" { PathBuf::from("-") } else { folder.path().join(path) };
    Input { paths: paths.iter().map(path).collect(), stdin: namespace("piped").into_bytes().into() }
}

fn check(folder: &TempDir, paths: &[&str], expected: &[&str]) -> Vec<File> {
    let files = load(&input(folder, paths), catalog(), &[]);
    assert_eq!(shown(folder, &files), expected, "{paths:?}");
    files
}

#[test]
fn paths_become_files() {
    let (a, b, c) = (namespace("a"), namespace("b"), namespace("c"));
    let folder = folder(&[
        ("b.yaml", &b),
        ("a.yml", &a),
        ("sub/c.json", "{\"apiVersion\": \"v1\", \"kind\": \"Namespace\", \"metadata\": {\"name\": \"c\"}}"),
        ("sub/.hidden/d.yaml", &c),
        (".e.yaml", &c),
        ("notes.txt", "no manifest"),
        ("named.txt", &c),
        ("empty.yaml", "# nothing\n"),
        ("bare/readme.md", "#"),
        ("torn/t.yaml", "a: ["),
    ]);
    let yaml_fault = "not YAML that can be read: ";
    let torn = load(&input(&folder, &["torn"]), catalog(), &[]);
    assert!(
        matches!(torn.as_slice(), [file] if file.findings.len() == 1 && file.findings[0].fault.message().starts_with(yaml_fault))
    );
    check(&folder, &["sub"], &["./sub/c.json: c"]);
    check(&folder, &["sub/"], &["./sub/c.json: c"]);
    check(&folder, &["b.yaml", "named.txt", "-"], &["./b.yaml: b", "./named.txt: c", "-: piped"]);
    check(&folder, &["-", "-"], &["-: piped"]);
    check(&folder, &["b.yaml", "sub", "b.yaml", "sub"], &["./b.yaml: b", "./sub/c.json: c"]);
    check(&folder, &["empty.yaml"], &["./empty.yaml: ; `./empty.yaml`: holds no manifest"]);
    check(&folder, &["bare"], &["./bare: ; `./bare`: holds no manifest"]);
    check(&folder, &["gone", "b.yaml"], &["./gone: ; `./gone`: no such file or folder", "./b.yaml: b"]);
    check(&folder, &["b.yaml/x"], &["./b.yaml/x: ; `./b.yaml/x`: not a directory"]);
    fs::remove_dir_all(folder.path().join("torn")).unwrap();
    check(&folder, &[""], &["./a.yml: a", "./b.yaml: b", "./empty.yaml: ", "./sub/c.json: c"]);
}

#[test]
fn links_are_followed() {
    let folder = folder(&[("mount/..1/a.yaml", &namespace("a")), ("mount/..1/deep/b.yaml", &namespace("b"))]);
    let mount = folder.path().join("mount");
    symlink("..1", mount.join("..data")).unwrap();
    symlink("..data/a.yaml", mount.join("a.yaml")).unwrap();
    symlink("..data/deep", mount.join("deep")).unwrap();
    symlink(".", mount.join("circle")).unwrap();
    check(&folder, &["mount"], &["./mount/a.yaml: a", "./mount/deep/b.yaml: b"]);
    symlink("nowhere", mount.join("z.yaml")).unwrap();
    let expected = ["./mount/a.yaml: a", "./mount/deep/b.yaml: b", "./mount/z.yaml: ; `./mount/z.yaml`: no such file or folder"];
    check(&folder, &["mount"], &expected);
}

#[test]
fn what_is_no_file_is_passed_over() {
    let folder = folder(&[("m/a.yaml", &namespace("a")), ("only/readme.md", "#")]);
    let path = |name: &str| folder.path().join(name);
    let made = std::process::Command::new("mkfifo").args([path("m/b.yaml"), path("m/b"), path("only/p.yaml")]).status().unwrap();
    assert!(made.success());
    let _socket = std::os::unix::net::UnixListener::bind(path("m/c.yaml")).unwrap();
    symlink("b.yaml", path("m/d.yaml")).unwrap();
    symlink("/dev/zero", path("m/e.yaml")).unwrap();
    symlink("f2.yaml", path("m/f1.yaml")).unwrap();
    symlink("f1.yaml", path("m/f2.yaml")).unwrap();
    let over = |name: &str, what: &str| format!("./m/{name}: ; `./m/{name}`: is {what} and no file, so it is passed over");
    let circle = |name: &str| format!("./m/{name}: ; `./m/{name}`: too many levels of symbolic links");
    let expected = [
        "./m/a.yaml: a".to_owned(),
        over("b.yaml", "a named pipe"),
        over("c.yaml", "a socket"),
        over("d.yaml", "a named pipe"),
        over("e.yaml", "a device"),
        circle("f1.yaml"),
        circle("f2.yaml"),
    ];
    let files = check(&folder, &["m"], &expected.each_ref().map(String::as_str));
    let severities: Vec<_> = files.iter().flat_map(|file| &file.findings).map(|finding| finding.fault.severity).collect();
    assert_eq!(severities, [[cause::Severity::Notice; 4].as_slice(), &[cause::Severity::Error; 2]].concat());
    let only = [
        "./only/p.yaml: ; `./only/p.yaml`: is a named pipe and no file, so it is passed over",
        "./only: ; `./only`: holds no manifest",
    ];
    check(&folder, &["only"], &only);
}

#[test]
fn what_is_too_much_is_not_read() {
    let folder = folder(&[("large.yaml", &" ".repeat(FILE_BYTES + 1))]);
    check(&folder, &["large.yaml"], &["./large.yaml: ; `./large.yaml`: is larger than 16 MiB"]);
    let many = TempDir::new().unwrap();
    for number in 0..=10_000 {
        fs::write(many.path().join(format!("{number}.yaml")), "").unwrap();
    }
    check(&many, &[""], &["./: ; `./`: holds more than 10000 manifests"]);
    let mut deep = many.path().join("deep");
    for _ in 0..33 {
        deep.push("x");
    }
    fs::create_dir_all(&deep).unwrap();
    let found = walk::walk(&many.path().join("deep"));
    assert_eq!(found.failures, [(deep, "lies more than 32 folders deep".to_owned())]);
}

#[test]
fn unchanged_files_are_taken_over() {
    let folder = folder(&[("d/a.yaml", &namespace("a")), ("d/b.yaml", &namespace("b"))]);
    let first = check(&folder, &["d"], &["./d/a.yaml: a", "./d/b.yaml: b"]);
    fs::write(folder.path().join("d/b.yaml"), namespace("c")).unwrap();
    let second = load(&input(&folder, &["d"]), catalog(), &first);
    assert_eq!(shown(&folder, &second), ["./d/a.yaml: a", "./d/b.yaml: c"]);
    let is_shared: Vec<bool> = first.iter().zip(&second).map(|(one, other)| Arc::ptr_eq(&one.source, &other.source)).collect();
    assert_eq!(is_shared, [true, false]);
    // A folder that is gone keeps what it held; so does one that turns into a link to nothing.
    fs::remove_dir_all(folder.path().join("d")).unwrap();
    let third = load(&input(&folder, &["d"]), catalog(), &second);
    let shown_third = shown(&folder, &third);
    assert_eq!(shown_third, ["./d: ; `./d`: no such file or folder", "./d/a.yaml: a", "./d/b.yaml: c"]);
}

#[test]
fn a_pipe_is_read_once() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    std::io::Write::write_all(&mut writer, namespace("a").as_bytes()).unwrap();
    drop(writer);
    let input = Input::new(vec![PathBuf::from(format!("/dev/fd/{}", reader.as_raw_fd()))]);
    let first = load(&input, catalog(), &[]);
    let second = load(&input, catalog(), &first);
    for files in [first, second] {
        assert_eq!(files[0].objects[0].reference().name.to_string(), "a");
        assert_eq!(files[0].findings.len(), 0);
    }
}
