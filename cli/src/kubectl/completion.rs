//! What may come next on a command line, as kubectl asks its plugins: a program named `kubectl_complete-doorward`
//! prints one candidate a line, and last a directive for the shell.

use clap::{Command, CommandFactory as _};

use super::Plugin;

/// Nothing but these candidates.
const NO_FILES: u8 = 4;
/// Files too.
const FILES: u8 = 0;

/// The candidates for the last of these words, which may be empty.
pub(super) fn candidates(words: &[String]) -> String {
    let (last, before) = words.split_last().map_or(("", &[][..]), |(last, before)| (last.as_str(), before));
    let mut command = Plugin::command();
    command.build();
    let mut current = &command;
    let mut flag = None;
    for word in before {
        flag = word.starts_with('-').then_some(word.as_str());
        if let Some(below) = current.find_subcommand(word) {
            current = below;
        }
    }
    let (found, directive) = next(current, flag, last);
    let mut lines: String = found.into_iter().map(|(word, about)| format!("{word}\t{about}\n")).collect();
    lines.push_str(&format!(":{directive}\n"));
    lines
}

fn next(command: &Command, flag: Option<&str>, last: &str) -> (Vec<(String, String)>, u8) {
    let argument = flag.and_then(|flag| {
        let name = flag.trim_start_matches('-');
        command.get_arguments().find(|one| {
            one.get_action().takes_values()
                && (one.get_long() == Some(name) || one.get_short().is_some_and(|short| name == short.to_string()))
        })
    });
    let begins = |word: &str| word.starts_with(last);
    if let Some(argument) = argument {
        let values = argument.get_possible_values();
        let words = values
            .iter()
            .map(|value| (value.get_name().to_owned(), value.get_help().map(ToString::to_string).unwrap_or_default()));
        let found: Vec<_> = words.filter(|(word, _)| begins(word)).collect();
        let directive = if values.is_empty() { FILES } else { NO_FILES };
        return (found, directive);
    }
    if last.starts_with('-') {
        let flags = command.get_arguments().filter_map(|one| {
            let about = one.get_help().map(ToString::to_string).unwrap_or_default();
            Some((format!("--{}", one.get_long()?), about))
        });
        return (flags.filter(|(word, _)| begins(word)).collect(), NO_FILES);
    }
    let below = command.get_subcommands().filter(|below| below.get_name() != "help");
    let found: Vec<_> = below
        .map(|below| (below.get_name().to_owned(), below.get_about().map(ToString::to_string).unwrap_or_default()))
        .filter(|(word, _)| begins(word))
        .collect();
    let takes_files = command.get_positionals().next().is_some();
    (found, if takes_files { FILES } else { NO_FILES })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_flags_and_values_are_completed() {
        let check = |line: &str, expected: &[&str], directive: u8| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let text = candidates(&words);
            let mut lines: Vec<&str> = text.lines().map(|line| line.split('\t').next().unwrap_or_default()).collect();
            assert_eq!(lines.pop(), Some(format!(":{directive}").as_str()), "{line}");
            assert_eq!(lines, expected, "{line}");
        };
        check("", &["status", "routes", "explain", "check", "key"], NO_FILES);
        check("st", &["status"], NO_FILES);
        check("key r", &["revoke", "rotate"], NO_FILES);
        check("routes --a", &["--all-namespaces"], NO_FILES);
        check("routes -o ", &["text", "json", "yaml"], NO_FILES);
        check("routes --output j", &["json"], NO_FILES);
        check("check ", &[], FILES);
        check("status --kubeconfig ", &[], FILES);
    }
}
