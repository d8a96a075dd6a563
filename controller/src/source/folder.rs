//! Folders of manifests, read again whenever a file changes.

use serde_json::Value;
use std::{
    collections::BTreeMap,
    fmt, fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// How often files are looked at.
const POLL: Duration = Duration::from_millis(300);

/// One object of a manifest file.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// File that it stands in.
    pub file: PathBuf,
    /// Position among the documents of the file, from 1.
    pub index: usize,
    /// The object.
    pub object: Value,
}

/// What is wrong with a manifest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file.
    pub file: PathBuf,
    /// Position of the document in the file, from 1; 0 for the whole file.
    pub document: usize,
    /// Path of the field, empty when the document as a whole is meant.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if self.document > 0 {
            write!(f, ", document {}", self.document)?;
        }
        if !self.field.is_empty() {
            write!(f, ", field {}", self.field)?;
        }
        write!(f, ": {}", self.reason)
    }
}

impl Document {
    /// Whether it says how other files are to be changed, and is no object of a cluster.
    pub fn is_kustomization(&self) -> bool {
        is_kustomization(&self.object)
    }
}

/// Files and folders of manifests, and when they last changed.
#[derive(Debug)]
pub struct Folder {
    paths: Vec<PathBuf>,
    seen: BTreeMap<PathBuf, (Option<SystemTime>, u64)>,
}

impl Folder {
    /// Names what to read. Folders are read with all folders in them.
    ///
    /// # Errors
    /// When a path does not exist.
    pub fn new(paths: impl IntoIterator<Item = PathBuf>) -> io::Result<Self> {
        let paths: Vec<PathBuf> = paths.into_iter().collect();
        for path in &paths {
            fs::metadata(path).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
        }
        Ok(Self { paths, seen: BTreeMap::new() })
    }

    /// Reads all documents as they are now. The first call returns at once, the next ones when a file
    /// has changed.
    pub async fn next(&mut self) -> (Vec<Document>, Vec<Problem>) {
        let mut files = self.files();
        while !self.seen.is_empty() && files == self.seen {
            tokio::time::sleep(POLL).await;
            files = self.files();
        }
        self.seen = files;
        let (mut documents, mut problems) = (Vec::new(), Vec::new());
        for file in self.seen.keys() {
            read_file(file, &mut documents, &mut problems);
        }
        (documents, problems)
    }

    fn files(&self) -> BTreeMap<PathBuf, (Option<SystemTime>, u64)> {
        let mut files = BTreeMap::new();
        for path in &self.paths {
            collect(path, true, &mut files);
        }
        files
    }
}

fn collect(path: &Path, named: bool, files: &mut BTreeMap<PathBuf, (Option<SystemTime>, u64)>) {
    // A file may go away between being listed and being looked at.
    let Ok(metadata) = fs::metadata(path) else { return };
    if metadata.is_dir() {
        let entries = fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
        entries.filter(|entry| !is_hidden(entry)).for_each(|entry| collect(&entry, false, files));
    } else if named || is_manifest(path) {
        files.insert(path.to_owned(), (metadata.modified().ok(), metadata.len()));
    }
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

fn is_manifest(path: &Path) -> bool {
    path.extension().is_some_and(|extension| ["yaml", "yml", "json"].iter().any(|known| extension == *known))
}

fn read_file(file: &Path, documents: &mut Vec<Document>, problems: &mut Vec<Problem>) {
    let problem = |document, reason: String| Problem { file: file.to_owned(), document, field: String::new(), reason };
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => return problems.push(problem(0, format!("cannot be read: {error}"))),
    };
    for (index, parsed) in read_documents(&text) {
        match parsed {
            Ok(object) => flatten(file, index, object, documents, problems),
            Err(reason) => problems.push(problem(index, reason)),
        }
    }
}

/// Takes a `List` apart, and refuses what is no object.
fn flatten(file: &Path, index: usize, object: Value, documents: &mut Vec<Document>, problems: &mut Vec<Problem>) {
    if object.is_null() {
        return;
    }
    if object["kind"] == "List" {
        let items = object["items"].as_array().cloned().unwrap_or_default();
        return items.into_iter().for_each(|item| flatten(file, index, item, documents, problems));
    }
    match fault(&object) {
        Some((field, reason)) => problems.push(Problem {
            file: file.to_owned(),
            document: index,
            field: field.to_owned(),
            reason: reason.to_owned(),
        }),
        None => documents.push(Document { file: file.to_owned(), index, object }),
    }
}

/// Kustomizations and their components; they need no name.
fn is_kustomization(object: &Value) -> bool {
    object["apiVersion"].as_str().is_some_and(|version| version.starts_with("kustomize.config.k8s.io/"))
}

/// Why a document is no Kubernetes object.
fn fault(object: &Value) -> Option<(&'static str, &'static str)> {
    if is_kustomization(object) {
        return None;
    }
    for (field, pointer) in [("apiVersion", "/apiVersion"), ("kind", "/kind"), ("metadata.name", "/metadata/name")] {
        match object.pointer(pointer) {
            Some(Value::String(_)) => {}
            None | Some(Value::Null) => return Some((field, "is missing, so this is no Kubernetes object")),
            Some(_) => return Some((field, "is not a text; put it in quotes")),
        }
    }
    // YAML takes words such as `n` and `on` for truth values.
    let namespace = &object["metadata"]["namespace"];
    (!namespace.is_null() && !namespace.is_string())
        .then_some(("metadata.namespace", "is not a text; put it in quotes"))
}

/// Splits text into YAML documents, numbered from 1, and parses each alone, so that a bad one does not
/// take the others with it.
pub fn read_documents(text: &str) -> Vec<(usize, Result<Value, String>)> {
    let mut documents = vec![String::new()];
    for line in text.lines() {
        if line == "---" || line.starts_with("--- ") {
            documents.push(String::new());
        } else if let Some(last) = documents.last_mut() {
            last.push_str(line);
            last.push('\n');
        }
    }
    // A separator at the top of a file opens its first document.
    if documents.first().is_some_and(|first| is_blank(first)) && documents.len() > 1 {
        documents.remove(0);
    }
    let parse = |text: &String| {
        if is_blank(text) { Ok(Value::Null) } else { serde_saphyr::from_str(text).map_err(|error| error.to_string()) }
    };
    documents.iter().enumerate().map(|(index, text)| (index + 1, parse(text))).collect()
}

fn is_blank(text: &str) -> bool {
    text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bad_documents_are_reported_and_the_rest_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("all.yaml");
        fs::write(
            &file,
            "---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\n---\na: [\n---\nkind: Pod\n---\n# nothing\n",
        )
        .unwrap();
        fs::write(folder.path().join("notes.txt"), "no manifest").unwrap();
        let (documents, problems) = Folder::new([folder.path().to_owned()]).unwrap().next().await;
        assert_eq!(documents.len(), 1);
        assert_eq!((documents[0].index, documents[0].object["metadata"]["name"].as_str()), (1, Some("web")));
        assert_eq!(problems.len(), 2);
        assert_eq!((problems[1].document, problems[1].field.as_str()), (3, "apiVersion"));
    }

    #[tokio::test]
    async fn a_kustomization_is_no_bad_object() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(
            folder.path().join("kustomization.yaml"),
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [web.yaml]\n",
        )
        .unwrap();
        let (documents, problems) = Folder::new([folder.path().to_owned()]).unwrap().next().await;
        assert_eq!((documents.len(), problems.len()), (1, 0));
        assert!(documents[0].is_kustomization());
    }

    #[tokio::test]
    async fn an_edit_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("web.yaml");
        let object = |name: &str| format!("apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\n");
        fs::write(&file, object("web")).unwrap();
        let mut manifests = Folder::new([folder.path().to_owned()]).unwrap();
        assert_eq!(manifests.next().await.0.len(), 1);
        fs::write(&file, object("web") + "---\n" + &object("emoji")).unwrap();
        let changed = tokio::time::timeout(Duration::from_secs(10), manifests.next()).await.unwrap();
        assert_eq!(changed.0.len(), 2);
    }

    #[test]
    fn a_name_that_yaml_takes_for_a_truth_value_is_reported() {
        let (_, object) = read_documents("{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: n}}").remove(0);
        assert_eq!(fault(&object.unwrap()), Some(("metadata.namespace", "is not a text; put it in quotes")));
    }

    #[test]
    fn a_path_that_does_not_exist_is_named() {
        let error = Folder::new([PathBuf::from("no-such-folder")]).unwrap_err();
        assert!(error.to_string().starts_with("no-such-folder: "));
    }
}
