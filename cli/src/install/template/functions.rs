//! The functions that Helm adds to Go's, as far as the charts use them.
//!
//! They do what those of Helm do, with one difference: values cannot be changed in place, so `set` returns
//! a changed copy. The charts only use what it returns.

use super::{convert, yaml::to_yaml};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use gotmpl::{FuncMap, Template, TemplateError, Value, ValueFunc, is_true};
use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock, Weak},
};

/// How the error of `fail` starts.
pub const FAIL: &str = "refused: ";

type Result<T> = std::result::Result<T, TemplateError>;
type Map = BTreeMap<Arc<str>, Value>;

/// All functions. `engine` is what `include` and `tpl` render with.
pub fn all(engine: &Weak<OnceLock<Template>>) -> FuncMap {
    type Function = fn(&[Value]) -> Result<Value>;
    const FUNCTIONS: [(&str, Function); 22] = [
        ("b64enc", b64enc),
        ("concat", concat),
        ("default", default),
        ("dict", dict),
        ("fail", fail),
        ("get", get),
        ("has", has),
        ("int", int),
        ("join", join),
        ("list", list),
        ("merge", merge),
        ("nindent", nindent),
        ("omit", omit),
        ("quote", quote),
        ("replace", replace),
        ("set", set),
        ("ternary", ternary),
        ("toJson", |args| Ok(text(&convert::to_json(one("toJson", args)?).to_string()))),
        ("toString", |args| Ok(text(&one("toString", args)?.to_string()))),
        ("toYaml", |args| Ok(text(&to_yaml(&convert::to_json(one("toYaml", args)?))))),
        ("trim", |args| Ok(text(string("trim", one("trim", args)?)?.trim()))),
        ("trimSuffix", trim_suffix),
    ];
    let named = |(name, function): (&str, Function)| (name.to_owned(), Arc::new(function) as ValueFunc);
    let mut functions: FuncMap = FUNCTIONS.into_iter().map(named).collect();
    let with = engine.clone();
    functions.insert("include".to_owned(), Arc::new(move |args| include(&with, args)));
    let with = engine.clone();
    functions.insert("tpl".to_owned(), Arc::new(move |args| tpl(&with, args)));
    functions
}

/// `include NAME DATA`: what a named template gives, as a text that can be piped on.
fn include(engine: &Weak<OnceLock<Template>>, args: &[Value]) -> Result<Value> {
    let [name, data] = exactly("include", args)?;
    let engine = engine.upgrade();
    let engine = engine.as_deref().and_then(OnceLock::get).ok_or_else(|| error("include: no templates"))?;
    Ok(text(&engine.execute_template_to_string(string("include", name)?, data)?))
}

/// `tpl TEXT DATA`: what a text gives as a template.
fn tpl(engine: &Weak<OnceLock<Template>>, args: &[Value]) -> Result<Value> {
    let [template, data] = exactly("tpl", args)?;
    let template = Template::new("tpl").funcs(all(engine)).parse(string("tpl", template)?)?;
    Ok(text(&template.execute_to_string(data)?))
}

fn fail(args: &[Value]) -> Result<Value> {
    Err(error(format!("{FAIL}{}", string("fail", one("fail", args)?)?)))
}

/// `default DEFAULT VALUE`: the value unless it is empty.
fn default(args: &[Value]) -> Result<Value> {
    match args {
        [default] => Ok(default.clone()),
        [default, value] => Ok(if is_true(value) { value } else { default }.clone()),
        _ => Err(error("default: takes a default and a value")),
    }
}

/// `ternary YES NO CONDITION`
fn ternary(args: &[Value]) -> Result<Value> {
    let [yes, no, condition] = exactly("ternary", args)?;
    Ok(if is_true(condition) { yes } else { no }.clone())
}

/// `int VALUE`: an integer, 0 for what is none.
fn int(args: &[Value]) -> Result<Value> {
    Ok(Value::Int(match *one("int", args)? {
        Value::Int(integer) => integer,
        Value::Uint(integer) => i64::try_from(integer).unwrap_or_default(),
        Value::Float(float) => float as i64,
        Value::Bool(bool) => i64::from(bool),
        Value::String(ref text) => text.parse().unwrap_or_default(),
        _ => 0,
    }))
}

/// `quote VALUE...`: in double quotes; what is nil is left out.
fn quote(args: &[Value]) -> Result<Value> {
    let quoted = args.iter().filter(|value| !matches!(value, Value::Nil)).map(|value| in_quotes(&value.to_string()));
    Ok(text(&quoted.collect::<Vec<_>>().join(" ")))
}

fn in_quotes(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c if c.is_control() => quoted.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// `nindent SPACES TEXT`: a newline, and the text with every line indented.
fn nindent(args: &[Value]) -> Result<Value> {
    let [spaces, content] = exactly("nindent", args)?;
    let spaces = spaces.as_int().and_then(|spaces| usize::try_from(spaces).ok());
    let pad = format!("\n{:1$}", "", spaces.ok_or_else(|| error("nindent: takes a number of spaces"))?);
    Ok(text(&format!("{pad}{}", string("nindent", content)?.replace('\n', &pad))))
}

fn b64enc(args: &[Value]) -> Result<Value> {
    Ok(text(&BASE64_STANDARD.encode(string("b64enc", one("b64enc", args)?)?)))
}

/// `replace OLD NEW TEXT`
fn replace(args: &[Value]) -> Result<Value> {
    let [old, new, content] = exactly("replace", args)?;
    Ok(text(&string("replace", content)?.replace(string("replace", old)?, string("replace", new)?)))
}

/// `trimSuffix SUFFIX TEXT`
fn trim_suffix(args: &[Value]) -> Result<Value> {
    let [suffix, content] = exactly("trimSuffix", args)?;
    let content = string("trimSuffix", content)?;
    Ok(text(content.strip_suffix(string("trimSuffix", suffix)?).unwrap_or(content)))
}

/// `join SEPARATOR LIST`
fn join(args: &[Value]) -> Result<Value> {
    let [separator, items] = exactly("join", args)?;
    let items: Vec<String> = items_of("join", items)?.iter().map(ToString::to_string).collect();
    Ok(text(&items.join(string("join", separator)?)))
}

fn list(args: &[Value]) -> Result<Value> {
    Ok(Value::List(args.into()))
}

fn concat(args: &[Value]) -> Result<Value> {
    let mut all = Vec::new();
    for items in args {
        all.extend_from_slice(items_of("concat", items)?);
    }
    Ok(Value::List(all.into()))
}

/// `has ITEM LIST`
fn has(args: &[Value]) -> Result<Value> {
    let [wanted, items] = exactly("has", args)?;
    let wanted = convert::to_json(wanted);
    Ok(Value::Bool(items_of("has", items)?.iter().any(|item| convert::to_json(item) == wanted)))
}

/// `dict KEY VALUE...`
fn dict(args: &[Value]) -> Result<Value> {
    let mut map = Map::new();
    for pair in args.chunks(2) {
        let value = pair.get(1).cloned().unwrap_or(Value::String("".into()));
        map.insert(pair[0].to_string().into(), value);
    }
    Ok(Value::Map(Arc::new(map)))
}

/// `get MAP KEY`: the value, or an empty text.
fn get(args: &[Value]) -> Result<Value> {
    let [map, key] = exactly("get", args)?;
    Ok(map_of("get", map)?.get(string("get", key)?).cloned().unwrap_or(Value::String("".into())))
}

/// `set MAP KEY VALUE`
fn set(args: &[Value]) -> Result<Value> {
    let [map, key, value] = exactly("set", args)?;
    let mut map = map_of("set", map)?.clone();
    map.insert(string("set", key)?.into(), value.clone());
    Ok(Value::Map(Arc::new(map)))
}

/// `omit MAP KEY...`
fn omit(args: &[Value]) -> Result<Value> {
    let [map, keys @ ..] = args else { return Err(error("omit: takes a map and keys")) };
    let mut map = map_of("omit", map)?.clone();
    for key in keys {
        map.remove(string("omit", key)?);
    }
    Ok(Value::Map(Arc::new(map)))
}

/// `merge MAP...`: the entries of all that are not nil; those of an earlier map win unless they are empty.
fn merge(args: &[Value]) -> Result<Value> {
    let mut merged = Map::new();
    for map in args {
        merge_into(&mut merged, map_of("merge", map)?);
    }
    Ok(Value::Map(Arc::new(merged)))
}

fn merge_into(target: &mut Map, source: &Map) {
    for (key, value) in source {
        match (target.get_mut(key), value) {
            (Some(Value::Map(inner)), Value::Map(value)) => merge_into(Arc::make_mut(inner), value),
            (_, Value::Nil) => {}
            (Some(present), _) if is_true(present) => {}
            _ => drop(target.insert(Arc::clone(key), value.clone())),
        }
    }
}

fn error(text: impl Into<String>) -> TemplateError {
    TemplateError::Exec(text.into())
}

fn text(text: &str) -> Value {
    Value::String(text.into())
}

fn exactly<'a, const N: usize>(name: &str, args: &'a [Value]) -> Result<[&'a Value; N]> {
    let args: Vec<&Value> = args.iter().collect();
    args.try_into().map_err(|args: Vec<_>| error(format!("{name}: takes {N} arguments, not {}", args.len())))
}

fn one<'a>(name: &str, args: &'a [Value]) -> Result<&'a Value> {
    exactly(name, args).map(|[value]| value)
}

fn string<'a>(name: &str, value: &'a Value) -> Result<&'a str> {
    value.as_str().ok_or_else(|| error(format!("{name}: {value} is no text")))
}

fn map_of<'a>(name: &str, value: &'a Value) -> Result<&'a Map> {
    match value {
        Value::Map(map) => Ok(map),
        _ => Err(error(format!("{name}: {value} is no map"))),
    }
}

fn items_of<'a>(name: &str, value: &'a Value) -> Result<&'a [Value]> {
    match value {
        Value::List(items) => Ok(items),
        _ => Err(error(format!("{name}: {value} is no list"))),
    }
}
