//! What was typed after `bench-cluster`.

use xtask::Failure;

const USAGE: &str = "\
bench-cluster [--name NAME] [--routes N] [--seconds N] [--only churn|starts] [--keep] [-o json]
  --routes N    how many ApiRoutes there are (5000)
  --seconds N   how long changes go on at one a second (180); a third of that at ten a second
  --only PART   only the changes, or only the cold starts
  --keep        leave the routes there for another run with --name
  -o json       one JSON object on standard output, all else on standard error
";

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Routes that come, change and go.
    Churn,
    /// Cold starts.
    Starts,
}

/// How it is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    /// Routes that are there all the time.
    pub(super) routes: usize,
    /// How long one change a second goes on.
    pub(super) seconds: u32,
    /// Whether the routes stay.
    pub(super) keep: bool,
    /// Whether a script reads.
    pub(super) json: bool,
    only: Option<Part>,
}

impl Settings {
    /// Reads them.
    ///
    /// # Errors
    /// A word that means nothing here.
    pub(super) fn read(words: &[&str]) -> Result<Self, Failure> {
        let mut settings = Self { routes: 5_000, seconds: 180, keep: false, json: false, only: None };
        let mut words = words;
        loop {
            words = match words {
                [] => return Ok(settings),
                ["--routes", number, rest @ ..] => {
                    settings.routes = number.parse().map_err(|_| Failure::usage(USAGE))?;
                    rest
                }
                ["--seconds", number, rest @ ..] => {
                    settings.seconds = number.parse().map_err(|_| Failure::usage(USAGE))?;
                    rest
                }
                ["--only", part, rest @ ..] => {
                    settings.only = Some(match *part {
                        "churn" => Part::Churn,
                        "starts" => Part::Starts,
                        _ => return Err(Failure::usage(USAGE)),
                    });
                    rest
                }
                ["--keep", rest @ ..] => {
                    settings.keep = true;
                    rest
                }
                ["-o", "json", rest @ ..] => {
                    settings.json = true;
                    rest
                }
                _ => return Err(Failure::usage(USAGE)),
            }
        }
    }

    /// Whether a part is measured.
    pub(super) fn has(&self, part: Part) -> bool {
        self.only.is_none_or(|only| only == part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_or_refused() {
        let check = |text: &str, expected: Option<(usize, u32, bool, bool)>| {
            let words: Vec<&str> = text.split_whitespace().collect();
            let found =
                Settings::read(&words).ok().map(|found| (found.routes, found.seconds, found.keep, found.has(Part::Starts)));
            assert_eq!(found, expected, "{text}");
        };
        check("", Some((5_000, 180, false, true)));
        check("--routes 10 --keep -o json", Some((10, 180, true, true)));
        check("--only churn --seconds 9", Some((5_000, 9, false, false)));
        check("--routes many", None);
        check("--only all", None);
        check("--sometimes", None);
    }
}
