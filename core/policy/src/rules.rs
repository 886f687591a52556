//! The named rules of a route: who may do what.
//!
//! Every enforced rule is looked at, and an error in any of them refuses, even where another rule
//! would decide. Then Deny rules refuse, then one Allow rule must match where there is any. Shadow
//! rules are looked at in the same pass and only recorded. Within a rule the cheap conditions come
//! first, and its expression is evaluated only where they hold.

use std::sync::Arc;

use cause::{Access, Denial, Fault, RuleFailure, RuleReport};
use ir::{Authorization, Effect, Enforcement, Part};

use crate::cel::{Expression, ExpressionFault, Phase};
use crate::principal::PrincipalKind;
use crate::request::RequestView;

/// The rules of a route, compiled.
#[derive(Debug, Default)]
pub struct RuleSet {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    name: Arc<str>,
    effect: Effect,
    enforcement: Enforcement,
    methods: Vec<Arc<str>>,
    roles: Vec<Arc<str>>,
    scopes: Vec<Arc<str>>,
    condition: Condition,
}

#[derive(Debug)]
enum Condition {
    Always,
    When(Expression),
    Broken(Arc<Fault>),
}

/// What the rules say of a request.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleVerdict {
    /// What the enforced rules say: the Allow rule that admits, where there is any.
    pub verdict: Result<Option<Arc<str>>, Denial>,
    /// Where they admit: what would have refused if the shadow rules were enforced too.
    pub shadow: Option<Denial>,
}

/// Why a rule did not match, without any copy of its lists.
enum Outcome {
    Matched,
    Method,
    Roles,
    Scopes,
    False,
    Error(Arc<str>),
    Broken(Arc<Fault>),
}

/// What was seen of a set of rules so far.
#[derive(Default)]
struct Tally<'r> {
    error: Option<(&'r Rule, Arc<str>)>,
    broken: Option<Arc<Fault>>,
    denied: Option<&'r Rule>,
    has_allow: bool,
    allowed: Option<&'r Rule>,
}

impl RuleSet {
    /// Compiles the rules.
    ///
    /// # Errors
    /// Each expression that does not compile, by the place of its rule. A translator that parsed
    /// the same text reports these as faults, so that here they come only of a version skew.
    pub fn compile(authorization: &Authorization) -> Result<Self, Vec<(usize, ExpressionFault)>> {
        let mut rules = Vec::with_capacity(authorization.rules.len());
        let mut faults = Vec::new();
        for (index, rule) in authorization.rules.iter().enumerate() {
            let condition = match &rule.when {
                None => Condition::Always,
                Some(Part::Broken(fault)) => Condition::Broken(Arc::clone(fault)),
                Some(Part::Ready(source)) => match Expression::compile(source, Phase::Authorization) {
                    Ok(expression) => Condition::When(expression),
                    Err(fault) => {
                        faults.push((index, fault));
                        continue;
                    }
                },
            };
            rules.push(Rule {
                name: Arc::clone(&rule.name),
                effect: rule.effect,
                enforcement: rule.enforcement,
                methods: rule.methods.clone(),
                roles: rule.roles.clone(),
                scopes: rule.scopes.clone(),
                condition,
            });
        }
        if faults.is_empty() { Ok(Self { rules }) } else { Err(faults) }
    }

    /// Whether there is nothing to judge.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// What the rules say. Where they admit, only expressions allocate.
    #[must_use]
    pub fn judge(&self, view: &RequestView<'_>) -> RuleVerdict {
        let mut enforced = Tally::default();
        let mut all = Tally::default();
        let mut has_shadow = false;
        for rule in &self.rules {
            let outcome = rule.outcome(view);
            match rule.enforcement {
                Enforcement::Enforce => enforced.add(rule, &outcome),
                Enforcement::Shadow => has_shadow = true,
            }
            all.add(rule, &outcome);
        }
        let verdict = enforced.verdict().map_err(|refusal| self.denial(refusal, view, false));
        let shadow = if has_shadow && verdict.is_ok() {
            all.verdict().err().map(|refusal| self.denial(refusal, view, true))
        } else {
            None
        };
        RuleVerdict { verdict, shadow }
    }

    /// What becomes of each rule, in the manifest's order.
    #[must_use]
    pub fn report(&self, view: &RequestView<'_>) -> Vec<RuleReport> {
        self.rules.iter().map(|rule| rule.report(view)).collect()
    }

    fn denial(&self, refusal: Refusal<'_>, view: &RequestView<'_>, with_shadow: bool) -> Denial {
        let route = || view.route.clone();
        Denial::Access(match refusal {
            Refusal::Broken(fault) => return Denial::Misconfigured(fault),
            Refusal::Error(rule, reason) => Access::RuleError { route: route(), rule: Arc::clone(&rule.name), reason },
            Refusal::Denied(rule) => Access::RuleDenied { route: route(), rule: Arc::clone(&rule.name) },
            Refusal::NotAllowed => self.nearest(view, with_shadow),
        })
    }

    /// Why no Allow rule matched: by the first that lacks roles alone, else by the first that lacks
    /// scopes alone, else by all.
    fn nearest(&self, view: &RequestView<'_>, with_shadow: bool) -> Access {
        let counts = |rule: &&Rule| rule.effect == Effect::Allow && (with_shadow || rule.enforcement == Enforcement::Enforce);
        let allow: Vec<&Rule> = self.rules.iter().filter(counts).collect();
        let principal = view.principal;
        let anonymous = principal.kind == PrincipalKind::Anonymous;
        let (route, method) = (view.route.clone(), Arc::from(view.method));
        let otherwise_fits = |rule: &&&Rule| rule.takes_method(view.method) && rule.condition_holds(view);
        let lacks_roles = |rule: &&&Rule| !rule.takes_roles(view) && rule.takes_scopes(view);
        let lacks_scopes = |rule: &&&Rule| rule.takes_roles(view) && !rule.takes_scopes(view);
        if let Some(rule) = allow.iter().filter(lacks_roles).find(otherwise_fits) {
            return Access::RoleMissing {
                route,
                method,
                rule: Arc::clone(&rule.name),
                needed: rule.roles.clone(),
                held: principal.roles.to_vec(),
                key: principal.key.as_ref().map(|key| key.0.clone()),
                anonymous,
            };
        }
        if let Some(rule) = allow.iter().filter(lacks_scopes).find(otherwise_fits) {
            return Access::ScopeMissing {
                route,
                method,
                rule: Arc::clone(&rule.name),
                needed: rule.scopes.clone(),
                held: principal.scopes.to_vec(),
                key: principal.key.as_ref().map(|key| key.0.clone()),
                anonymous,
            };
        }
        Access::NoRuleMatched { route, method, rules: allow.into_iter().map(|rule| rule.report(view)).collect() }
    }
}

enum Refusal<'r> {
    Broken(Arc<Fault>),
    Error(&'r Rule, Arc<str>),
    Denied(&'r Rule),
    NotAllowed,
}

impl<'r> Tally<'r> {
    fn add(&mut self, rule: &'r Rule, outcome: &Outcome) {
        self.has_allow |= rule.effect == Effect::Allow;
        match outcome {
            Outcome::Matched => match rule.effect {
                Effect::Allow => self.allowed = self.allowed.or(Some(rule)),
                Effect::Deny => self.denied = self.denied.or(Some(rule)),
            },
            Outcome::Method | Outcome::Roles | Outcome::Scopes | Outcome::False => {}
            Outcome::Error(reason) => {
                if self.error.is_none() {
                    self.error = Some((rule, Arc::clone(reason)));
                }
            }
            Outcome::Broken(fault) => {
                if self.broken.is_none() {
                    self.broken = Some(Arc::clone(fault));
                }
            }
        }
    }

    fn verdict(self) -> Result<Option<Arc<str>>, Refusal<'r>> {
        if let Some(fault) = self.broken {
            Err(Refusal::Broken(fault))
        } else if let Some((rule, reason)) = self.error {
            Err(Refusal::Error(rule, reason))
        } else if let Some(rule) = self.denied {
            Err(Refusal::Denied(rule))
        } else if self.has_allow && self.allowed.is_none() {
            Err(Refusal::NotAllowed)
        } else {
            Ok(self.allowed.map(|rule| Arc::clone(&rule.name)))
        }
    }
}

impl Rule {
    fn outcome(&self, view: &RequestView<'_>) -> Outcome {
        // Nobody knows what a broken rule would have said, so it speaks for every request.
        if let Condition::Broken(fault) = &self.condition {
            return Outcome::Broken(Arc::clone(fault));
        }
        if !self.takes_method(view.method) {
            return Outcome::Method;
        }
        if !self.takes_roles(view) {
            return Outcome::Roles;
        }
        if !self.takes_scopes(view) {
            return Outcome::Scopes;
        }
        match &self.condition {
            Condition::Always | Condition::Broken(_) => Outcome::Matched,
            Condition::When(expression) => match expression.evaluate(view) {
                Ok(true) => Outcome::Matched,
                Ok(false) => Outcome::False,
                Err(reason) => Outcome::Error(reason),
            },
        }
    }

    /// `GET` covers `HEAD`: the second asks for the first without its body.
    fn takes_method(&self, method: &str) -> bool {
        let named = |name: &Arc<str>| **name == *method || (method == "HEAD" && &**name == "GET");
        self.methods.is_empty() || self.methods.iter().any(named)
    }

    fn takes_roles(&self, view: &RequestView<'_>) -> bool {
        self.roles.is_empty() || self.roles.iter().any(|role| view.principal.roles.contains(role))
    }

    fn takes_scopes(&self, view: &RequestView<'_>) -> bool {
        self.scopes.iter().all(|scope| view.principal.scopes.contains(scope))
    }

    fn condition_holds(&self, view: &RequestView<'_>) -> bool {
        match &self.condition {
            Condition::Always => true,
            Condition::When(expression) => expression.evaluate(view) == Ok(true),
            Condition::Broken(_) => false,
        }
    }

    fn report(&self, view: &RequestView<'_>) -> RuleReport {
        let failure = match self.outcome(view) {
            Outcome::Matched => None,
            Outcome::Method => Some(RuleFailure::Method { methods: self.methods.clone() }),
            Outcome::Roles => Some(RuleFailure::Roles { roles: self.roles.clone() }),
            Outcome::Scopes => Some(RuleFailure::Scopes { scopes: self.scopes.clone() }),
            Outcome::False => Some(RuleFailure::Condition),
            Outcome::Error(reason) => Some(RuleFailure::Error { reason }),
            Outcome::Broken(_) => Some(RuleFailure::Error { reason: "its expression does not compile".into() }),
        };
        RuleReport {
            rule: Arc::clone(&self.name),
            deny: self.effect == Effect::Deny,
            shadow: self.enforcement == Enforcement::Shadow,
            failure,
        }
    }
}

#[cfg(test)]
mod tests;
