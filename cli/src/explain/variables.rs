//! What expressions see, phase by phase.

use policy::cel::{Phase, Variable, variables};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::output::Output;
use crate::terminal::{WIDTH, print, print_json};

/// The phases, with where their expressions stand.
const PHASES: [(Phase, &str, &str); 1] = [(Phase::Authorization, "authorization", "spec.authorization.rules[].when")];

/// Prints the variables of every phase.
pub(super) fn print_all(output: Output) -> Result<(), Failure> {
    match output {
        Output::Text => print(&text()),
        Output::Json => print_json(&document()),
    }
}

fn text() -> String {
    let mut text = String::new();
    for (phase, name, field) in PHASES {
        let all = variables(phase);
        let widest = |column: fn(&Variable) -> &str| all.iter().map(|variable| column(variable).len()).max().unwrap_or(0);
        let (names, kinds) = (widest(|variable| variable.name), widest(|variable| variable.kind));
        text.push_str(&format!("{name}: {field}\n"));
        for Variable { name, kind, description } in all {
            let lead = format!("  {name:names$}  {kind:kinds$}  ");
            let mut lines = observe::printable::wrapped(description, WIDTH - lead.len()).into_iter();
            text.push_str(&format!("{lead}{}\n", lines.next().unwrap_or_default()));
            for line in lines {
                text.push_str(&format!("{:1$}{line}\n", "", lead.len()));
            }
        }
    }
    text
}

fn document() -> Value {
    let phases = PHASES.map(|(phase, name, field)| {
        let variables: Vec<Value> = variables(phase)
            .iter()
            .map(|variable| json!({"name": variable.name, "type": variable.kind, "description": variable.description}))
            .collect();
        json!({"phase": name, "field": field, "variables": variables})
    });
    json!({"phases": phases})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_is_told_in_both_forms() {
        let text = text();
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        let document = document();
        let told = document["phases"][0]["variables"].as_array().unwrap();
        assert_eq!(told.len(), variables(Phase::Authorization).len());
        for variable in told {
            assert!(text.contains(&format!("  {} ", variable["name"].as_str().unwrap())), "{variable}");
        }
    }
}
