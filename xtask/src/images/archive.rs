//! OCI image archives, written without a container engine.
//!
//! The layout is that of the OCI image specification (`oci-layout`, `index.json`, `blobs/`), with
//! the `manifest.json` of older `docker load` beside it, as docker itself writes it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType};

use super::layer::{Layer, append, header};

/// An image of one layer.
pub struct Image {
    /// With registry and tag.
    pub name: String,
    pub layer: Layer,
    pub entrypoint: Vec<String>,
    /// Numeric, so that Kubernetes can tell that it is not root.
    pub user: String,
}

/// What was written.
pub struct Written {
    /// Digest of the image's manifest: what registries and containerd call it by.
    pub digest: String,
    /// Bytes of the archive.
    pub size: u64,
}

impl Image {
    /// Writes the archive to `path`; never half a file.
    pub fn write(&self, path: &Path) -> Result<Written> {
        let mut archive = Archive(Builder::new(Vec::new()));
        let layer = archive.blob(&self.layer.to_tar()?)?;
        let config = archive.blob(&bytes(&self.config(&layer.digest)))?;
        let manifest = archive.blob(&bytes(&json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config.descriptor("application/vnd.oci.image.config.v1+json"),
            "layers": [layer.descriptor("application/vnd.oci.image.layer.v1.tar")],
        })))?;
        let digest = manifest.digest.clone();
        archive.file("index.json", &bytes(&self.index(&manifest)))?;
        archive.file(
            "manifest.json",
            &bytes(&json!([{ "Config": config.path(), "RepoTags": [self.name], "Layers": [layer.path()] }])),
        )?;
        archive.file("oci-layout", &bytes(&json!({ "imageLayoutVersion": "1.0.0" })))?;
        let content = archive.0.into_inner()?;
        let part = path.with_extension("part");
        fs::write(&part, &content).with_context(|| format!("cannot write {}", part.display()))?;
        fs::rename(&part, path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Written { digest, size: content.len() as u64 })
    }

    fn config(&self, layer: &str) -> Value {
        json!({
            "created": "1970-01-01T00:00:00Z",
            "architecture": architecture(),
            "os": "linux",
            "config": {
                "Entrypoint": self.entrypoint,
                "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
                "User": self.user,
                "WorkingDir": "/",
            },
            "rootfs": { "type": "layers", "diff_ids": [layer] },
            "history": [{ "created": "1970-01-01T00:00:00Z", "created_by": "cargo xtask images" }],
        })
    }

    fn index(&self, manifest: &Blob) -> Value {
        let mut descriptor = manifest.descriptor("application/vnd.oci.image.manifest.v1+json");
        let tag = self.name.rsplit_once(':').map_or("latest", |(_, tag)| tag);
        descriptor["platform"] = json!({ "architecture": architecture(), "os": "linux" });
        descriptor["annotations"] = json!({
            // The first is what containerd and docker read, the second is the standard's.
            "io.containerd.image.name": self.name,
            "org.opencontainers.image.ref.name": tag,
        });
        json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [descriptor],
        })
    }
}

/// Something that is found by its digest.
struct Blob {
    digest: String,
    size: usize,
}

impl Blob {
    fn path(&self) -> String {
        format!("blobs/{}", self.digest.replace(':', "/"))
    }

    fn descriptor(&self, media_type: &str) -> Value {
        json!({ "mediaType": media_type, "digest": self.digest, "size": self.size })
    }
}

struct Archive(Builder<Vec<u8>>);

impl Archive {
    fn blob(&mut self, content: &[u8]) -> Result<Blob> {
        let blob = Blob { digest: format!("sha256:{:x}", Sha256::digest(content)), size: content.len() };
        self.file(&blob.path(), content)?;
        Ok(blob)
    }

    fn file(&mut self, path: &str, content: &[u8]) -> Result<()> {
        append(&mut self.0, header(EntryType::Regular, 0o644), path, content)
    }
}

/// Go's name of this machine's architecture, which images use.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn bytes(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Read;

    use super::*;

    fn image(folder: &Path, content: &str) -> Image {
        let program = folder.join("program");
        fs::write(&program, content).unwrap();
        let mut layer = Layer::default();
        layer.program("/program", &program).unwrap();
        Image {
            name: "localhost/a/b:1".to_owned(),
            layer,
            entrypoint: vec!["/program".to_owned()],
            user: "65534".to_owned(),
        }
    }

    fn members(path: &Path) -> BTreeMap<String, Vec<u8>> {
        let mut archive = tar::Archive::new(fs::File::open(path).unwrap());
        let entries = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            (entry.path().unwrap().display().to_string(), content)
        });
        entries.collect()
    }

    #[test]
    fn equal_content_gives_equal_bytes_and_other_content_another_digest() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let one = image(folder.path(), "1").write(&path("one.tar")).unwrap();
        let same = image(folder.path(), "1").write(&path("same.tar")).unwrap();
        let other = image(folder.path(), "2").write(&path("other.tar")).unwrap();
        assert_eq!(one.digest, same.digest);
        assert_eq!(fs::read(path("one.tar")).unwrap(), fs::read(path("same.tar")).unwrap());
        assert_ne!(one.digest, other.digest);
    }

    #[test]
    fn every_blob_is_stored_under_its_digest_and_can_be_reached_from_both_indexes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image.tar");
        let written = image(folder.path(), "1").write(&path).unwrap();
        let members = members(&path);
        let read = |name: &str| serde_json::from_slice::<Value>(&members[name]).unwrap();
        for (name, content) in members.iter().filter(|(name, _)| name.starts_with("blobs/")) {
            assert_eq!(*name, format!("blobs/sha256/{:x}", Sha256::digest(content)));
        }
        let index = read("index.json");
        assert_eq!(index["manifests"][0]["digest"], written.digest);
        let manifest = read(&format!("blobs/{}", written.digest.replace(':', "/")));
        let old = read("manifest.json");
        for (descriptor, path) in
            [(&manifest["config"], &old[0]["Config"]), (&manifest["layers"][0], &old[0]["Layers"][0])]
        {
            let digest = descriptor["digest"].as_str().unwrap();
            assert_eq!(path, &json!(format!("blobs/{}", digest.replace(':', "/"))));
            assert_eq!(members[path.as_str().unwrap()].len() as u64, descriptor["size"].as_u64().unwrap());
        }
    }
}
