//! Values on the command line, in the form that Helm takes: `a.b=1,c={x,y},d[0].e=f`.

use anyhow::{Context as _, bail, ensure};
use serde_json::{Map, Value};
use std::{iter::Peekable, str::Chars};

/// Largest index of a list, as in Helm: a list holds all items before one that is set.
const LARGEST_INDEX: usize = 65_536;
/// Deepest nesting of a name.
const DEEPEST: usize = 30;

/// What becomes of the text behind `=`.
#[derive(Clone, Copy)]
pub enum Kind {
    /// A boolean, an integer or null if it looks like one, else a text.
    Typed,
    /// A text.
    Text,
    /// The content of the file that it names.
    File,
}

/// Sets the values that `text` names in `values`.
///
/// # Errors
/// When it has another form, or a file cannot be read.
pub fn set(values: &mut Value, text: &str, kind: Kind) -> anyhow::Result<()> {
    let mut parser = Parser { rest: text.chars().peekable(), kind };
    parser.assignments(values).with_context(|| format!("failed parsing {text:?}"))
}

struct Parser<'a> {
    rest: Peekable<Chars<'a>>,
    kind: Kind,
}

impl Parser<'_> {
    fn assignments(&mut self, values: &mut Value) -> anyhow::Result<()> {
        while self.rest.peek().is_some() {
            self.assignment(values, 0)?;
            match self.rest.next() {
                None | Some(',') => {}
                Some(other) => bail!("unexpected {other:?} behind a value"),
            }
        }
        Ok(())
    }

    /// The rest of a name, and what is assigned to it.
    fn assignment(&mut self, target: &mut Value, depth: usize) -> anyhow::Result<()> {
        ensure!(depth < DEEPEST, "names may be {DEEPEST} levels deep");
        let key = self.until(&['=', '.', '[', ',']);
        ensure!(!key.is_empty(), "a name is empty");
        if !target.is_object() {
            *target = Value::Object(Map::new());
        }
        self.behind_name(&mut target[key.as_str()], &key, depth)
    }

    /// What is behind a name or an index: a value, a further name or an index.
    fn behind_name(&mut self, slot: &mut Value, name: &str, depth: usize) -> anyhow::Result<()> {
        match self.rest.next() {
            Some('=') => *slot = self.value()?,
            Some('.') => self.assignment(slot, depth + 1)?,
            Some('[') => {
                ensure!(depth < DEEPEST, "names may be {DEEPEST} levels deep");
                let index = self.index()?;
                let name = format!("{name}[{index}]");
                self.behind_name(item(slot, index), &name, depth + 1)?;
            }
            _ => bail!("key {name:?} has no value"),
        }
        Ok(())
    }

    fn index(&mut self) -> anyhow::Result<usize> {
        let text = self.until(&[']']);
        ensure!(self.rest.next().is_some(), "an index has no ]");
        let index = text.parse().with_context(|| format!("{text:?} is no index of a list"))?;
        ensure!(index <= LARGEST_INDEX, "index {index} is above {LARGEST_INDEX}");
        Ok(index)
    }

    fn value(&mut self) -> anyhow::Result<Value> {
        if self.rest.next_if_eq(&'{').is_none() {
            let text = self.until(&[',']);
            return self.converted(text);
        }
        let mut items = Vec::new();
        if self.rest.next_if_eq(&'}').is_some() {
            return Ok(Value::Array(items));
        }
        loop {
            let text = self.until(&[',', '}']);
            items.push(self.converted(text)?);
            match self.rest.next() {
                Some(',') => {}
                Some(_) => return Ok(Value::Array(items)),
                None => bail!("a list must end with }}"),
            }
        }
    }

    fn converted(&self, text: String) -> anyhow::Result<Value> {
        Ok(match self.kind {
            Kind::Typed => typed(text),
            Kind::Text => text.into(),
            Kind::File => std::fs::read_to_string(&text).with_context(|| format!("cannot read {text}"))?.into(),
        })
    }

    /// The text before one of `ends`, or else the rest. A backslash takes its special meaning from a character.
    fn until(&mut self, ends: &[char]) -> String {
        let mut text = String::new();
        while let Some(c) = self.rest.next_if(|c| !ends.contains(c)) {
            text.extend(if c == '\\' { self.rest.next() } else { Some(c) });
        }
        text
    }
}

fn typed(text: String) -> Value {
    match text.to_ascii_lowercase().as_str() {
        "true" => return true.into(),
        "false" => return false.into(),
        "null" => return Value::Null,
        "0" => return 0.into(),
        _ => {}
    }
    // With a leading zero it may be a code of some kind, which has to keep it.
    match text.parse::<i64>() {
        Ok(integer) if !text.starts_with('0') => integer.into(),
        _ => text.into(),
    }
}

/// An item of a list, which is made as long as needed.
fn item(list: &mut Value, index: usize) -> &mut Value {
    if !list.is_array() {
        *list = Value::Array(Vec::new());
    }
    if let Some(items) = list.as_array_mut()
        && items.len() <= index
    {
        items.resize(index + 1, Value::Null);
    }
    &mut list[index]
}

#[cfg(test)]
mod tests;
