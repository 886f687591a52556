//! From a schema as JSON to rules.

use std::collections::BTreeMap;
use std::sync::Arc;

use regex::Regex;
use serde_json::{Map, Value};

use super::{Alternatives, Bounds, ListKind, Others, Rule, RuleId, Schema, SchemaDefect, Type, syntax};

/// The deepest a schema may nest; references start anew.
const MAX_DEPTH: usize = 64;

/// Compiles a schema.
///
/// # Errors
///
/// A pattern or rule that does not compile, or a reference that leads nowhere.
pub(crate) fn compile(schema: &Value) -> Result<Schema, SchemaDefect> {
    let mut compiler = Compiler { document: schema, rules: Vec::new(), references: BTreeMap::new() };
    let root = compiler.node(schema, &Place { parent: None, segment: "", depth: 0 })?;
    Ok(Schema { rules: compiler.rules, root })
}

struct Compiler<'a> {
    document: &'a Value,
    rules: Vec<Rule>,
    references: BTreeMap<&'a str, RuleId>,
}

struct Place<'p> {
    parent: Option<&'p Self>,
    segment: &'p str,
    depth: usize,
}

impl Place<'_> {
    fn defect(&self, reason: impl ToString) -> SchemaDefect {
        SchemaDefect { pointer: self.pointer(), reason: reason.to_string() }
    }

    fn pointer(&self) -> String {
        self.parent.map_or_else(String::new, |parent| format!("{}/{}", parent.pointer(), self.segment))
    }

    fn below<'s>(&'s self, segment: &'s str) -> Place<'s>
    where
        Self: 's,
    {
        Place { parent: Some(self), segment, depth: self.depth + 1 }
    }
}

impl<'a> Compiler<'a> {
    fn node(&mut self, schema: &'a Value, place: &Place<'_>) -> Result<RuleId, SchemaDefect> {
        if place.depth > MAX_DEPTH {
            return Err(place.defect("nests too deeply"));
        }
        let Value::Object(map) = schema else { return Ok(self.push(Rule::default())) };
        if let Some(Value::String(reference)) = map.get("$ref") {
            return self.reference(reference, place);
        }
        let id = self.push(Rule::default());
        let rule = self.rule(schema, map, place)?;
        if let Some(slot) = self.rules.get_mut(id.0) {
            *slot = rule;
        }
        Ok(id)
    }

    fn push(&mut self, rule: Rule) -> RuleId {
        self.rules.push(rule);
        RuleId(self.rules.len() - 1)
    }

    fn reference(&mut self, reference: &'a str, place: &Place<'_>) -> Result<RuleId, SchemaDefect> {
        if let Some(known) = self.references.get(reference) {
            return Ok(*known);
        }
        let pointer = reference.strip_prefix('#').unwrap_or(reference);
        let target = self.document.pointer(pointer).ok_or_else(|| place.defect(format!("`{reference}` leads nowhere")))?;
        let id = self.push(Rule::default());
        self.references.insert(reference, id);
        let target = self.node(target, &Place { parent: None, segment: reference, depth: 0 })?;
        // The reserved rule stands for the target, which may already refer back to it.
        if let Some(slot) = self.rules.get_mut(id.0) {
            slot.all_of.push(target);
        }
        Ok(id)
    }

    fn rule(&mut self, schema: &'a Value, map: &'a Map<String, Value>, place: &Place<'_>) -> Result<Rule, SchemaDefect> {
        let mut rule = Rule {
            types: types(map),
            required: texts(map.get("required")),
            allowed: allowed(map),
            bounds: bounds(map),
            syntax: map.get("format").and_then(Value::as_str).and_then(syntax::format),
            list: list_kind(map),
            expressions: expressions(schema, map, place)?,
            is_defaulted: map.contains_key("default"),
            ..Rule::default()
        };
        if let Some(Value::String(pattern)) = map.get("pattern") {
            rule.syntax = rule.syntax.or_else(|| syntax::of_pattern(pattern));
            rule.pattern = Some(Regex::new(pattern).map_err(|error| place.defect(error))?);
        }
        integer_format(map, &mut rule.bounds);
        if let Some(Value::Object(properties)) = map.get("properties") {
            let place = place.below("properties");
            for (name, schema) in properties {
                let id = self.node(schema, &place.below(name))?;
                rule.properties.insert(name.as_str().into(), id);
            }
        }
        rule.others = self.others(map, &rule, place)?;
        if let Some(items) = map.get("items") {
            rule.items = Some(self.node(items, &place.below("items"))?);
        }
        if let Some(not) = map.get("not") {
            rule.not = Some(self.node(not, &place.below("not"))?);
        }
        rule.all_of = self.branches(map, "allOf", place)?;
        for key in ["anyOf", "oneOf"] {
            let branches = self.branches(map, key, place)?;
            if !branches.is_empty() && rule.allowed.is_none() {
                rule.any_of.push(Alternatives { branches, is_exclusive: key == "oneOf" });
            }
        }
        Ok(rule)
    }

    fn branches(&mut self, map: &'a Map<String, Value>, key: &str, place: &Place<'_>) -> Result<Vec<RuleId>, SchemaDefect> {
        let Some(Value::Array(branches)) = map.get(key) else { return Ok(Vec::new()) };
        branches.iter().map(|branch| self.node(branch, &place.below(key))).collect()
    }

    fn others(&mut self, map: &'a Map<String, Value>, rule: &Rule, place: &Place<'_>) -> Result<Others, SchemaDefect> {
        let is_free = map.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true));
        match map.get("additionalProperties") {
            _ if is_free => Ok(Others::Free),
            Some(Value::Bool(true)) => Ok(Others::Free),
            Some(Value::Bool(false)) => Ok(Others::Unknown),
            Some(schema) => Ok(Others::Follow(self.node(schema, &place.below("additionalProperties"))?)),
            // A type that is some `$ref` or branch besides is described there.
            None if rule.types.contains(&Type::Map) && !map.contains_key("allOf") => Ok(Others::Unknown),
            None => Ok(Others::Unspoken),
        }
    }
}

fn types(map: &Map<String, Value>) -> Vec<Type> {
    let is_either = map.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true))
        || map.get("format").and_then(Value::as_str) == Some("int-or-string");
    let mut types: Vec<Type> = match map.get("type") {
        _ if is_either => vec![Type::Integer, Type::String],
        Some(Value::Array(names)) => names.iter().filter_map(type_of).collect(),
        Some(name) => type_of(name).into_iter().collect(),
        None => Vec::new(),
    };
    if map.get("nullable") == Some(&Value::Bool(true)) && !types.is_empty() {
        types.push(Type::Null);
    }
    types
}

fn type_of(name: &Value) -> Option<Type> {
    Some(match name.as_str()? {
        "null" => Type::Null,
        "boolean" => Type::Boolean,
        "integer" => Type::Integer,
        "number" => Type::Number,
        "string" => Type::String,
        "array" => Type::List,
        "object" => Type::Map,
        _ => return None,
    })
}

fn texts(list: Option<&Value>) -> Vec<Arc<str>> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(Arc::from).collect()
}

/// The enumeration of a node, also where it is written as branches of one value each.
fn allowed(map: &Map<String, Value>) -> Option<Vec<Value>> {
    if let Some(Value::Array(values)) = map.get("enum") {
        return Some(values.clone());
    }
    if let Some(value) = map.get("const") {
        return Some(vec![value.clone()]);
    }
    let branches = map.get("oneOf").or_else(|| map.get("anyOf"))?.as_array()?;
    let mut found = Vec::new();
    for branch in branches {
        let branch = branch.as_object()?;
        match (branch.get("enum"), branch.get("const")) {
            (Some(Value::Array(values)), _) => found.extend(values.iter().cloned()),
            (_, Some(value)) => found.push(value.clone()),
            (_, None) => return None,
        }
    }
    (!found.is_empty()).then_some(found)
}

fn bounds(map: &Map<String, Value>) -> Bounds {
    let number = |key: &str| map.get(key).and_then(Value::as_f64);
    let count = |key: &str| map.get(key).and_then(Value::as_u64);
    let is_true = |key: &str| map.get(key) == Some(&Value::Bool(true));
    // OpenAPI 3.0 says `exclusiveMinimum: true`, JSON Schema gives the number itself.
    let (below, above) = (number("exclusiveMinimum"), number("exclusiveMaximum"));
    Bounds {
        minimum: below.or_else(|| number("minimum")),
        maximum: above.or_else(|| number("maximum")),
        is_minimum_excluded: below.is_some() || is_true("exclusiveMinimum"),
        is_maximum_excluded: above.is_some() || is_true("exclusiveMaximum"),
        length: (count("minLength"), count("maxLength")),
        items: (count("minItems"), count("maxItems")),
        members: (count("minProperties"), count("maxProperties")),
    }
}

/// The bounds that an integer's `format` implies.
fn integer_format(map: &Map<String, Value>, bounds: &mut Bounds) {
    let (least, most) = match map.get("format").and_then(Value::as_str) {
        Some("int32") => (f64::from(i32::MIN), f64::from(i32::MAX)),
        Some("uint8") => (0.0, f64::from(u8::MAX)),
        Some("uint16") => (0.0, f64::from(u16::MAX)),
        Some("uint32") => (0.0, f64::from(u32::MAX)),
        Some("uint64" | "uint") => (0.0, f64::MAX),
        Some(_) | None => return,
    };
    bounds.minimum.get_or_insert(least);
    if most < f64::MAX {
        bounds.maximum.get_or_insert(most);
    }
}

fn list_kind(map: &Map<String, Value>) -> ListKind {
    match map.get("x-kubernetes-list-type").and_then(Value::as_str) {
        Some("set") => ListKind::Set,
        Some("map") => ListKind::Map(texts(map.get("x-kubernetes-list-map-keys"))),
        Some(_) | None if map.get("uniqueItems") == Some(&Value::Bool(true)) => ListKind::Set,
        Some(_) | None => ListKind::Plain,
    }
}

/// The rules of this node alone: those below are judged at their own nodes, so that a fault in
/// one part of a manifest does not hide those of another.
fn expressions(
    schema: &Value,
    map: &Map<String, Value>,
    place: &Place<'_>,
) -> Result<Option<kube_cel::CompiledSchema>, SchemaDefect> {
    const KEY: &str = "x-kubernetes-validations";
    let Some(rules) = map.get(KEY) else { return Ok(None) };
    let mut own = without_rules(schema, KEY);
    if let Value::Object(own) = &mut own {
        own.insert(KEY.to_owned(), rules.clone());
    }
    let compiled = kube_cel::compile_schema(&own);
    match compiled.compilation_errors().first() {
        Some(error) => Err(place.defect(error)),
        None => Ok(Some(compiled)),
    }
}

fn without_rules(schema: &Value, key: &str) -> Value {
    match schema {
        Value::Object(map) => map
            .iter()
            .filter(|(name, value)| !(*name == key && value.is_array()))
            .map(|(name, value)| (name.clone(), without_rules(value, key)))
            .collect(),
        Value::Array(items) => items.iter().map(|item| without_rules(item, key)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => schema.clone(),
    }
}
