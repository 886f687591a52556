//! What can be typed.

use clap::builder::BoolishValueParser;
use clap::{Parser, Subcommand};

const EXAMPLES: &str = "\
Examples:
  doorward run ./manifests                                  serve these manifests, and their changes
  doorward check ./manifests                                what is wrong with them, and where
  doorward explain -f ./manifests --request 'GET /orders'   what a call would get, check by check
  doorward key new mobile-app >> ./manifests/keys.yaml      a new key";

/// The API and AI gateway that tells every caller why
#[derive(Debug, Parser)]
#[command(name = "doorward", version, before_help = EXAMPLES, max_term_width = 100, propagate_version = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Print only what was asked for, and errors
    #[arg(short, long, global = true, env = "DOORWARD_QUIET", value_parser = BoolishValueParser::new(), hide_env = true)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve manifests from files, and their changes
    Run(Box<crate::run::Args>),
    /// Say what is wrong with manifests, and where
    Check(crate::check::Args),
    /// Say what a call would get or got, check by check
    Explain(Box<crate::explain::Args>),
    /// Make, look up and revoke API keys
    Key(crate::key::Args),
    /// Look into a cluster: the same as `kubectl doorward`
    Kubectl(crate::kubectl::Args),
    /// Serve the manifests of a cluster: what its operator pods run
    Operator(Box<crate::operator::Args>),
    /// Say how a running gateway is
    Status(crate::status::Args),
    /// Serve a Gateway of a cluster, as its operator starts it
    Dataplane(Box<crate::dataplane::Args>),
    /// Serve the upstreams of the examples
    Demo(crate::demo::Args),
    /// Print the completions of a shell
    Completion(crate::completion::Args),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn every_command_begins_its_help_with_examples() {
        fn check(command: &mut clap::Command) {
            let help = command.render_help().to_string();
            let begins = ["doorward ", "kubectl doorward ", "KEY=$(kubectl doorward "];
            let example = help.strip_prefix("Examples:\n  ");
            assert!(example.is_some_and(|line| begins.iter().any(|begin| line.starts_with(begin))), "{help}");
            assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
            for below in command.get_subcommands_mut().filter(|below| below.get_name() != "help") {
                check(below);
            }
        }
        let mut command = Arguments::command();
        command.build();
        check(&mut command);
    }

    #[test]
    fn every_flag_of_what_serves_has_a_variable() {
        let command = Arguments::command();
        let served = ["run", "dataplane"].into_iter().flat_map(|name| command.find_subcommand(name).unwrap().get_arguments());
        for flag in served.filter(|argument| argument.get_long().is_some()) {
            let name = flag.get_long().unwrap();
            let expected = format!("DOORWARD_{}", name.to_uppercase().replace('-', "_"));
            assert_eq!(flag.get_env().and_then(|name| name.to_str()), Some(expected.as_str()), "--{name}");
        }
    }

    #[test]
    fn the_chart_sets_variables_that_the_operator_has() {
        let chart = include_str!("../../charts/doorward/templates/deployment.yaml");
        let command = Arguments::command();
        let operator = command.find_subcommand("operator").unwrap();
        let flags: Vec<&str> =
            operator.get_arguments().filter_map(|flag| flag.get_env()).filter_map(|name| name.to_str()).collect();
        let set: Vec<&str> = chart.split("name: ").filter_map(|rest| rest.split_whitespace().next()).collect();
        let ours = || set.iter().filter(|name| name.starts_with("DOORWARD_"));
        // The chart's ports are the operator's own, at every address that the pod has.
        let left_out = ["DOORWARD_QUIET", "DOORWARD_CONFIG_STREAM", "DOORWARD_METRICS"];
        assert!(ours().count() >= 9, "{set:?}");
        for name in ours().filter(|name| **name != "DOORWARD_LOG") {
            assert!(flags.contains(name), "{name} is in the chart, and no flag of `doorward operator`: {flags:?}");
        }
        for flag in flags.iter().filter(|name| !left_out.contains(name)) {
            assert!(set.contains(flag), "{flag} is not in the chart");
        }
    }
}
