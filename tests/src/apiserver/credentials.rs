//! Keys, certificates, tokens and kubeconfigs of a test's API server.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::json;

/// The token of a user in the group that may do everything.
const ADMIN_TOKEN: &str = "linkerd-tests-admin";

/// Files that the API server is started with, and what its clients need.
pub struct Credentials {
    folder: PathBuf,
    ca: String,
}

impl Credentials {
    /// Writes everything below `folder`.
    pub fn write(folder: &Path) -> Result<Self> {
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate()?)?;
        let names = ["127.0.0.1", "localhost", "kubernetes.default.svc"];
        let key = KeyPair::generate()?;
        let serving = CertificateParams::new(names.map(str::to_owned))?.signed_by(&key, &ca)?;
        let tokens = KeyPair::generate()?;

        let this = Self { folder: folder.to_owned(), ca: ca.pem() };
        this.file("serving.crt", &serving.pem())?;
        this.file("serving.key", &key.serialize_pem())?;
        this.file("service-accounts.key", &tokens.serialize_pem())?;
        this.file("service-accounts.pub", &tokens.public_key_pem())?;
        let admin = format!("{ADMIN_TOKEN},admin,admin,\"system:masters\"\n");
        this.file("tokens.csv", &admin)?;
        Ok(this)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A kubeconfig with which `user` speaks to the API server on loopback port `port`.
    pub fn kubeconfig(&self, user: &str, token: &str, port: u16) -> Result<PathBuf> {
        // JSON is YAML, and the CA is given by path so that no encoding is needed.
        self.file("ca.crt", &self.ca)?;
        let kubeconfig = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": "tests", "cluster": {
                "server": format!("https://127.0.0.1:{port}"),
                "certificate-authority": self.path("ca.crt"),
            }}],
            "users": [{ "name": user, "user": { "token": token } }],
            "contexts": [{ "name": "tests", "context": { "cluster": "tests", "user": user } }],
            "current-context": "tests",
        });
        self.file(&format!("{user}.kubeconfig"), &kubeconfig.to_string())
    }

    pub fn admin_kubeconfig(&self, port: u16) -> Result<PathBuf> {
        self.kubeconfig("admin", ADMIN_TOKEN, port)
    }

    fn file(&self, name: &str, content: &str) -> Result<PathBuf> {
        let path = self.path(name);
        fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
}
