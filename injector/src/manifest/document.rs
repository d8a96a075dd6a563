//! Texts to documents and back.

use crate::manifest::{Format, Input};
use serde_json::Value;

/// One document of an input.
#[derive(Clone, Debug)]
pub struct Document<'a> {
    /// Its text, without separators.
    pub text: &'a str,
    /// What it says; null for an empty one, or one that has comments only.
    pub value: Value,
}

/// Splits and reads an input.
///
/// # Errors
/// The documents that cannot be read, each by its input and number.
pub fn read<'a>(input: Input<'a>) -> Result<Vec<Document<'a>>, Vec<String>> {
    let mut errors = Vec::new();
    let mut documents = Vec::new();
    for (i, text) in split(input.text).into_iter().enumerate() {
        match parse(text) {
            Ok(value) => documents.push(Document { text, value }),
            Err(error) => errors.push(format!("{}: document {}: {}", input.name, i + 1, first_line(&error))),
        }
    }
    if errors.is_empty() { Ok(documents) } else { Err(errors) }
}

/// Splits at the lines that separate YAML documents. A document without any line does not count.
fn split(text: &str) -> Vec<&str> {
    let mut documents = Vec::new();
    let (mut start, mut position) = (0, 0);
    for line in text.split_inclusive('\n') {
        let end = position + line.len();
        if let Some(content) = after_separator(line) {
            if start < position {
                documents.push(&text[start..position]);
            }
            start = position + content;
        }
        position = end;
    }
    if start < text.len() {
        documents.push(&text[start..]);
    }
    documents
}

/// Where the next document begins in a line that separates two, in bytes.
fn after_separator(line: &str) -> Option<usize> {
    let rest = line.strip_prefix("---")?;
    let content = rest.trim_start();
    if content.is_empty() || (content.starts_with('#') && rest.starts_with([' ', '\t'])) {
        Some(line.len())
    } else {
        rest.starts_with([' ', '\t']).then_some(line.len() - content.len())
    }
}

fn parse(text: &str) -> Result<Value, String> {
    if text.trim_start().starts_with('{') {
        // Text that is no JSON may still be YAML in its flow style.
        match serde_json::from_str(text) {
            Ok(value) => return Ok(value),
            Err(error) if error.to_string().starts_with("trailing characters") => {
                return Err("more than one JSON value; put each into a file of its own, or use a List".to_owned());
            }
            Err(_) => {}
        }
    }
    // As kubectl reads it: YAML 1.1, in which `0644` is octal.
    let options = serde_saphyr::options! { legacy_octal_numbers: true };
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    serde_saphyr::from_str_with_options(text, options).map_err(|error| error.to_string())
}

/// Parsers draw pictures; one line is enough.
fn first_line(error: &str) -> &str {
    error.lines().next().unwrap_or(error)
}

/// Writes a document that passes as it is.
pub fn write_unchanged(document: &Document<'_>, format: Format, output: &mut String) {
    match format {
        Format::Yaml => {
            output.push_str(document.text);
            separate(output);
        }
        Format::Json if document.value.is_null() => {}
        Format::Json => write(&document.value, format, output),
    }
}

/// Writes a value as a document.
pub fn write(value: &Value, format: Format, output: &mut String) {
    match format {
        Format::Yaml => {
            output.push_str(&to_yaml(value));
            separate(output);
        }
        Format::Json => {
            output.push_str(&value.to_string());
            output.push('\n');
        }
    }
}

fn separate(output: &mut String) {
    if !output.is_empty() && !output.ends_with('\n') {
        output.push('\n');
    }
    output.push_str("---\n");
}

/// Writes YAML that readers of YAML 1.1 and 1.2 understand alike, keys in order.
pub fn to_yaml(value: &Value) -> String {
    // Folding long lines would be correct, and unreadable for certificates and JSON in annotations.
    let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
    // Only values that are no JSON could fail.
    serde_saphyr::to_string_with_options(value, options).unwrap_or_else(|_| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn texts(text: &str) -> Vec<&str> {
        read(Input { name: "f", text }).unwrap().into_iter().map(|document| document.text).collect()
    }

    #[test]
    fn documents_end_at_separators_and_empty_ones_need_a_line() {
        assert_eq!(texts("---\na: 1\n---\n\n---\n# c\n---\n"), ["a: 1\n", "\n", "# c\n"]);
        assert_eq!(texts("a: 1\n--- # next\nb: 2"), ["a: 1\n", "b: 2"]);
        assert_eq!(texts("a: 1\n--- {b: 2}\n"), ["a: 1\n", "{b: 2}\n"]);
        assert_eq!(texts("a: |\n  ---\n  --- x\n").len(), 1);
        assert_eq!(texts(""), Vec::<&str>::new());
    }

    #[test]
    fn a_document_that_cannot_be_read_is_named() {
        let error = |text| read(Input { name: "f.yaml", text }).unwrap_err().join("\n");
        assert!(error("a: 1\n---\nb: [\n").starts_with("f.yaml: document 2: error: line 1 column 4"));
        assert!(error("{\"a\": 1}\n{\"b\": 2}\n").contains("more than one JSON value"));
        assert!(error("a: 1\na: 2\n").contains("duplicate"));
    }

    #[test]
    fn yaml_is_read_as_kubernetes_reads_it() {
        let read = |text| read(Input { name: "f", text }).unwrap()[0].value.clone();
        assert_eq!(read("mode: 0644\non: yes\nv: \"yes\""), json!({"mode": 420, "on": true, "v": "yes"}));
        assert_eq!(read("{\"a\":\t1}"), json!({"a": 1}));
        assert_eq!(read("{a: b}"), json!({"a": "b"}));
    }

    #[test]
    fn written_yaml_reads_back_the_same() {
        let value = json!({
            "s": ["yes", "0644", "1e3", "2024-01-01", "", "a\nb\n", " x", "tab\t", "{\"ns\":\"$(_pod_ns)\"}\n", "x ".repeat(100)],
            "n": [1, 1.5, null, true, {}, []],
        });
        let text = to_yaml(&value);
        assert!(!text.contains(">-"), "{text}");
        assert_eq!(read(Input { name: "f", text: &text }).unwrap()[0].value, value);
    }
}
