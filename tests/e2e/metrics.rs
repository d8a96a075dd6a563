//! Metrics in Prometheus' text format.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

/// One value with its labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

impl Sample {
    /// The value of a label; empty when it is absent, as in Prometheus.
    pub fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }
}

/// Everything that a process told in one answer.
#[derive(Debug, Default)]
pub struct Metrics(Vec<Sample>);

impl Metrics {
    /// # Errors
    /// When a line is no sample.
    pub fn parse(text: &str) -> Result<Self> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.map(|line| sample(line).with_context(|| format!("not a metric: {line}"))).collect::<Result<_>>().map(Self)
    }

    /// The samples of a metric.
    pub fn of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Sample> {
        self.0.iter().filter(move |sample| sample.name == name)
    }

    /// The sum of a metric over the labels that `matches` takes.
    pub fn sum(&self, name: &str, matches: impl Fn(&Sample) -> bool) -> f64 {
        self.of(name).filter(|sample| matches(sample)).map(|sample| sample.value).sum()
    }

    /// The value of a metric without labels.
    pub fn value(&self, name: &str) -> Result<f64> {
        self.of(name).next().map(|sample| sample.value).with_context(|| format!("there is no metric {name}"))
    }
}

fn sample(line: &str) -> Option<Sample> {
    let (name, rest) = line.split_at(line.find(['{', ' '])?);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(labels) => self::labels(labels)?,
        None => (BTreeMap::new(), rest),
    };
    // A time may follow.
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some(Sample { name: name.to_owned(), labels, value })
}

/// Labels up to the closing brace, and what follows it.
fn labels(mut text: &str) -> Option<(BTreeMap<String, String>, &str)> {
    let mut labels = BTreeMap::new();
    loop {
        text = text.trim_start_matches([',', ' ']);
        if let Some(rest) = text.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (name, rest) = text.split_once("=\"")?;
        let (value, rest) = quoted(rest)?;
        labels.insert(name.to_owned(), value);
        text = rest;
    }
}

/// A value up to its closing quote, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((i, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[i + 1..])),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                escaped => value.push(escaped),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_have_names_labels_and_values() {
        let text =
            "# HELP a b\n# TYPE a counter\na_total 3\nb{x=\"1\",y=\"a \\\"b\\\"\\\\c, }\"} 2.5 1700\nb{} 1\n# EOF\n";
        let metrics = Metrics::parse(text).unwrap();
        assert_eq!(metrics.value("a_total").unwrap(), 3.0);
        assert_eq!(metrics.of("b").next().unwrap().label("y"), "a \"b\"\\c, }");
        assert_eq!(metrics.sum("b", |_| true), 3.5);
        assert_eq!(metrics.sum("b", |sample| sample.label("x") == "1"), 2.5);
        assert!(metrics.value("c").is_err());
    }

    #[test]
    fn a_line_that_is_no_sample_is_shown() {
        for line in ["nothing", "a{x=\"1} 3", "a b"] {
            assert!(Metrics::parse(line).unwrap_err().to_string().contains(line));
        }
    }
}
