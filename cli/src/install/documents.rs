//! Manifests: what templates give, as objects.

use super::arguments::Format;
use anyhow::{Context as _, ensure};
use serde_json::Value;

/// An object, and the text that it was read from.
#[derive(Clone, Debug)]
pub struct Document {
    text: String,
    /// The object.
    pub object: Value,
}

impl Document {
    /// An object that no template made.
    pub fn of(object: Value) -> Self {
        Self { text: super::template::to_yaml(&object) + "\n", object }
    }

    /// The objects in a text of YAML documents. `source` tells where it is from.
    ///
    /// # Errors
    /// When a document is no YAML, or no object of Kubernetes.
    pub fn read(source: &str, text: &str) -> anyhow::Result<Vec<Self>> {
        split(text).into_iter().map(|text| Self::parse(text).with_context(|| source.to_owned())).collect()
    }

    fn parse(text: String) -> anyhow::Result<Self> {
        let object: Value = serde_saphyr::from_str(&text).with_context(|| format!("rendered no YAML:\n{text}"))?;
        for field in ["/apiVersion", "/kind", "/metadata/name"] {
            let value = object.pointer(field).and_then(Value::as_str);
            ensure!(value.is_some_and(|value| !value.is_empty()), "rendered an object without {field}:\n{text}");
        }
        Ok(Self { text, object })
    }

    /// The kind of the object.
    pub fn kind(&self) -> &str {
        self.object["kind"].as_str().unwrap_or_default()
    }

    /// The name of the object.
    pub fn name(&self) -> &str {
        self.object["metadata"]["name"].as_str().unwrap_or_default()
    }
}

/// The documents of a text that hold more than comments.
fn split(text: &str) -> Vec<String> {
    let mut documents = vec![String::new()];
    for line in text.lines() {
        if line.trim_end() == "---" {
            documents.push(String::new());
        } else if let Some(last) = documents.last_mut() {
            last.push_str(line);
            last.push('\n');
        }
    }
    let is_content = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    documents.retain(|document| document.lines().any(is_content));
    documents.into_iter().map(|document| document.trim_matches('\n').to_owned() + "\n").collect()
}

/// All objects in one text: YAML documents, or a line of JSON for each.
pub fn print(documents: &[Document], format: Format) -> String {
    let texts = documents.iter().map(|document| match format {
        Format::Yaml => format!("---\n{}", document.text),
        Format::Json => format!("{}\n", document.object),
    });
    texts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn documents_of_comments_alone_are_no_objects() {
        let text = "# a\n---\n\n---\nkind: A # x\n# b\n---   \n# c\n\nkind: B\n";
        assert_eq!(split(text), ["kind: A # x\n# b\n", "# c\n\nkind: B\n"]);
    }

    #[test]
    fn an_object_without_a_name_is_refused_with_its_place() {
        let error = format!("{:#}", Document::read("x.yaml", "kind: A\napiVersion: v1\n").unwrap_err());
        assert!(error.starts_with("x.yaml: rendered an object without /metadata/name"), "{error}");
        assert!(Document::read("x.yaml", "a: [").is_err());
    }

    #[test]
    fn json_is_one_line_for_each_object() {
        let object = json!({"apiVersion": "v1", "kind": "A", "metadata": {"name": "a"}, "data": {"k": "x\ny"}});
        let documents = [Document::of(object.clone()), Document::of(object.clone())];
        let text = print(&documents, Format::Json);
        let read: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(read, [object.clone(), object.clone()]);
        let yaml = print(&documents, Format::Yaml);
        let read = Document::read("own", &yaml).unwrap();
        assert_eq!((read.len(), read[1].kind(), read[1].name()), (2, "A", "a"));
        assert_eq!(read[0].object, object);
    }
}
