//! Values as YAML that every reader takes alike.

use serde_json::Value;

/// A value as block YAML with keys in alphabetical order, without a newline at the end.
///
/// Kubernetes' tools read YAML 1.1, in which `y`, `on`, `012` and `1_000` are no texts, and others read
/// 1.2: whatever might be taken for something else is in quotes.
pub fn to_yaml(value: &Value) -> String {
    lines(value).join("\n")
}

fn lines(value: &Value) -> Vec<String> {
    match value {
        Value::Object(map) if !map.is_empty() => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            entries.into_iter().flat_map(|(key, value)| entry(key, value)).collect()
        }
        Value::Array(items) if !items.is_empty() => {
            let behind_dash = |(i, line)| format!("{}{line}", if i == 0 { "- " } else { "  " });
            items.iter().flat_map(|item| lines(item).into_iter().enumerate().map(behind_dash)).collect()
        }
        Value::String(text) => block(text).unwrap_or_else(|| vec![scalar(text)]),
        // Empty collections too are written as in JSON.
        other => vec![other.to_string()],
    }
}

/// A key and its value. As Kubernetes' tools write them, lists are no deeper than their key.
fn entry(key: &str, value: &Value) -> Vec<String> {
    let key = scalar(key);
    let inner = lines(value);
    match value {
        Value::Object(map) if !map.is_empty() => below(format!("{key}:"), inner, "  "),
        Value::Array(items) if !items.is_empty() => below(format!("{key}:"), inner, ""),
        _ => {
            let mut inner = inner.into_iter();
            let first = format!("{key}: {}", inner.next().unwrap_or_default());
            std::iter::once(first).chain(inner).collect()
        }
    }
}

fn below(first: String, lines: Vec<String>, indent: &str) -> Vec<String> {
    std::iter::once(first).chain(lines.into_iter().map(|line| format!("{indent}{line}"))).collect()
}

/// Several lines as a literal block, if that can hold them.
fn block(text: &str) -> Option<Vec<String>> {
    let (header, body) = match text.strip_suffix('\n') {
        Some(body) => ("|", body),
        None => ("|-", text),
    };
    let is_plain = |line: &str| !line.is_empty() && !line.ends_with(' ') && !line.chars().any(char::is_control);
    if !body.contains('\n') || body.starts_with(' ') || !body.split('\n').all(is_plain) {
        return None;
    }
    Some(below(header.to_owned(), body.split('\n').map(str::to_owned).collect(), "  "))
}

/// A text on one line, in quotes unless nobody can take it for anything else.
fn scalar(text: &str) -> String {
    const TAKEN: [&str; 12] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", "infinity"];
    let starts_well = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./,=+%()$*".contains(c);
    if starts_well && text.chars().all(is_plain) && !TAKEN.contains(&text.to_ascii_lowercase().as_str()) {
        return text.to_owned();
    }
    // A JSON string is a YAML string, but for what only JSON prints as it is.
    let escaped = |c: char| match c {
        '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' => format!("\\u{:04x}", u32::from(c)),
        _ => c.to_string(),
    };
    Value::from(text).to_string().chars().map(escaped).collect()
}
