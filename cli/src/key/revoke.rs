//! `doorward key revoke`: the ApiKey stays, suspended, so that its calls are refused by name.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use cause::FieldPath;
use files::Input;
use manifest::{File, Object};

use super::edit::{Edit, Suspension, changed, suspend};
use crate::failure::{Exit, Failure};
use crate::paths;
use crate::terminal::print;
use crate::words;

const EXAMPLES: &str = "\
Examples:
  doorward key revoke mobile-app -f ./manifests             what to change, and where
  doorward key revoke shop/mobile-app -f ./manifests --write

A revoked key is refused as credential.suspended: whoever holds it learns why. To have it read as unknown instead,
delete the ApiKey and its Secret.";

/// `doorward key revoke`.
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct Args {
    /// The ApiKey: its name, or namespace/name
    #[arg(value_name = "[NAMESPACE/]NAME")]
    name: String,
    /// The manifests that it stands in; may be repeated
    #[arg(short, long = "filename", value_name = "PATH", required = true, num_args = 1..)]
    filename: Vec<PathBuf>,
    /// Change the file
    #[arg(long)]
    write: bool,
}

/// Prints the change, or makes it.
///
/// # Errors
/// No ApiKey or several have this name, or the file cannot be changed.
pub(super) fn run(args: Args, quiet: bool) -> Result<Exit, Failure> {
    if args.filename.iter().any(|path| path.as_os_str() == "-") {
        return Err(Failure::usage(
            "a key is revoked in its file, and standard input is none",
            "name files or folders behind `-f`",
        ));
    }
    let files = files::load(&Input::new(args.filename.clone()), files::catalog(), &[]);
    let object = the_one(&files, &args)?;
    let place = object.locate(&FieldPath::root());
    let head = format!("{}:{}   {}", object.source().name(), place.line, object.reference());
    match suspend(object) {
        Suspension::Already => {
            if !quiet {
                print(&format!("{head}\n  is suspended already\n"))?;
            }
        }
        Suspension::By(edit) if args.write => {
            let file = Path::new(&**object.source().name());
            let text = with_mark(file, object)?;
            replace(file, &text.replacen(object.source().text(), &changed(object.source().text(), &edit).unwrap_or_default(), 1))
                .map_err(|error| {
                    Failure::found(
                        format!("{} cannot be written: {}", file.display(), words::of(&error)),
                        "make the change by hand",
                    )
                })?;
            if !quiet {
                print(&format!("{head}\n{}  written; a running gateway takes it at once\n", difference(object, &edit)))?;
            }
        }
        Suspension::By(edit) => {
            print(&format!("{head}\n{}", difference(object, &edit)))?;
            if !quiet {
                print("  not written: add --write to change the file\n")?;
            }
        }
        Suspension::ByHand => {
            return Err(Failure::found(
                format!("{head} cannot be changed safely"),
                "write `suspended: true` into its `spec` by hand",
            ));
        }
    }
    Ok(Exit::Fine)
}

/// The ApiKey that the name means.
fn the_one<'a>(files: &'a [File], args: &Args) -> Result<&'a Object, Failure> {
    let findings = files.iter().flat_map(|file| &file.findings);
    if let Some(finding) = findings.into_iter().find(|finding| paths::is_of_path(&finding.fault)) {
        return Err(Failure::usage(finding.fault.message(), "name files or folders of manifests behind `-f`"));
    }
    let named = |object: &&Object| {
        let reference = &object.reference().name;
        match args.name.split_once('/') {
            Some((namespace, name)) => *namespace == *reference.namespace && *name == *reference.name,
            None => *args.name == *reference.name,
        }
    };
    let keys: Vec<&Object> =
        files.iter().flat_map(|file| &file.objects).filter(|object| &**object.kind() == "ApiKey" && object.is_named()).collect();
    let found: Vec<&Object> = keys.iter().copied().filter(named).collect();
    let names = |objects: &[&Object]| {
        let names: Vec<String> = objects.iter().map(|object| object.reference().name.to_string()).collect();
        names.join(", ")
    };
    match found.as_slice() {
        [object] => Ok(object),
        [] if keys.is_empty() => {
            Err(Failure::usage(format!("there is no ApiKey in {}", paths::shown(&args.filename)), "name its file behind `-f`"))
        }
        [] => Err(Failure::usage(
            format!("no ApiKey in {} is called {}", paths::shown(&args.filename), args.name),
            format!("choose one of: {}", names(&keys)),
        )),
        [..] => Err(Failure::usage(
            format!("{} ApiKeys are called {}", found.len(), args.name),
            format!("say which, with its namespace: {}", names(&found)),
        )),
    }
}

/// The lines that change, as a diff.
fn difference(object: &Object, edit: &Edit) -> String {
    let text = object.source().text();
    let from = text.get(..edit.span.start).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1);
    let to = text.get(edit.span.end..).and_then(|rest| rest.find('\n')).map_or(text.len(), |newline| edit.span.end + newline);
    let old = text.get(from..to).unwrap_or_default();
    let within = Edit { span: manifest::Span::new(edit.span.start - from, edit.span.end - from), text: edit.text.clone() };
    let new = changed(old, &within).unwrap_or_default();
    let kept = |line: &&str| new.lines().any(|other| other == *line);
    let mut lines: Vec<String> = old.lines().filter(|line| !kept(line)).map(|line| format!("  - {line}\n")).collect();
    lines.extend(new.lines().filter(|line| !old.lines().any(|other| other == *line)).map(|line| format!("  + {line}\n")));
    lines.concat()
}

/// The file as it is, checked to be what was read: its byte order mark, if any, is kept.
fn with_mark(file: &Path, object: &Object) -> Result<String, Failure> {
    let text = fs::read_to_string(file)
        .map_err(|error| Failure::found(format!("{} cannot be read again: {}", file.display(), words::of(&error)), ""))?;
    let is_same = text.strip_prefix('\u{feff}').unwrap_or(&text) == object.source().text();
    if is_same {
        Ok(text)
    } else {
        Err(Failure::found(format!("{} was changed meanwhile", file.display()), "type the command again"))
    }
}

/// Puts a file of this text in the place of another, so that nobody reads half of it.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    // A link stays, and leads to the new text.
    let file = file.canonicalize()?;
    let permissions = fs::metadata(&file)?.permissions();
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let beside = file.with_file_name(format!(".{name}.{}", std::process::id()));
    let mut new = fs::OpenOptions::new().write(true).create_new(true).open(&beside)?;
    let written = new
        .write_all(text.as_bytes())
        .and_then(|()| new.set_permissions(permissions))
        .and_then(|()| new.sync_all())
        .and_then(|()| fs::rename(&beside, &file));
    if written.is_err() {
        // The first error is the one that matters.
        let _ = fs::remove_file(&beside);
    }
    written
}
