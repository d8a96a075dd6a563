//! What a sandbox keeps between runs: its certificate authority and the key of its tokens, so that a
//! proxy that runs as one of its pods survives a restart.

use anyhow::Context as _;
use linkerd_identity::{clock::Clock, core::token::ServiceAccount, generate::Credentials, local_tokens::LocalTokens};
use linkerd_k8s::names::IDENTITY_AUDIENCE;
use std::{
    fs,
    io::{ErrorKind, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

/// How long a token of `sandbox env` is good.
const TOKEN_LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

const ANCHOR: &str = "ca.crt";
const ANCHOR_KEY: &str = "ca.key";
const ISSUER: &str = "issuer.crt";
const ISSUER_KEY: &str = "issuer.key";
const TOKEN_KEY: &str = "tokens.p8";

/// The folder where sandboxes keep what they need again, unless told otherwise.
pub fn default_folder() -> PathBuf {
    let state = std::env::var_os("XDG_STATE_HOME").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    state.or_else(home).unwrap_or_else(std::env::temp_dir).join("linkerd-sandbox")
}

/// What is kept.
pub struct State {
    /// Root and issuer.
    pub credentials: Credentials,
    /// Signs and checks tokens.
    pub tokens: LocalTokens,
}

impl State {
    /// Reads what an earlier run kept; makes what is missing, or what is of no use any more.
    ///
    /// # Errors
    /// When the folder cannot be read or written.
    pub fn open(folder: &Path, control_plane_namespace: &str, trust_domain: &str) -> anyhow::Result<Self> {
        let named = || format!("cannot use the state folder {}; choose another with --state-dir", folder.display());
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).with_context(named)?;
        let probe = format!("linkerd-identity.{control_plane_namespace}.serviceaccount.identity.{trust_domain}");
        let kept = read_credentials(folder).with_context(named)?;
        let now = Clock::system().now();
        let usable = kept.filter(|credentials| credentials.authority(&probe, now).is_ok());
        let credentials = match usable {
            Some(credentials) => credentials,
            None => {
                let made = Credentials::generate(control_plane_namespace, trust_domain, now)?;
                write_credentials(folder, &made).with_context(named)?;
                made
            }
        };
        let tokens = match read(folder, TOKEN_KEY).with_context(named)? {
            Some(key) => LocalTokens::from_pkcs8(&key, Clock::system()).with_context(named)?,
            None => {
                let made = LocalTokens::generate(Clock::system())?;
                write(folder, TOKEN_KEY, &made.to_pkcs8()?).with_context(named)?;
                made
            }
        };
        Ok(Self { credentials, tokens })
    }

    /// Signs the token of a service account.
    ///
    /// # Errors
    /// When signing fails.
    pub fn token(&self, namespace: &str, account: &str) -> anyhow::Result<String> {
        let account = ServiceAccount { namespace: namespace.to_owned(), name: account.to_owned() };
        Ok(self.tokens.sign(&account, &[IDENTITY_AUDIENCE], TOKEN_LIFETIME)?)
    }
}

fn read_credentials(folder: &Path) -> std::io::Result<Option<Credentials>> {
    let text = |file: &str| -> std::io::Result<Option<String>> {
        Ok(read(folder, file)?.and_then(|bytes| String::from_utf8(bytes).ok()))
    };
    let files = (text(ANCHOR)?, text(ANCHOR_KEY)?, text(ISSUER)?, text(ISSUER_KEY)?);
    Ok(match files {
        (Some(trust_anchor), Some(trust_anchor_key), Some(issuer), Some(issuer_key)) => {
            Some(Credentials { trust_anchor, trust_anchor_key, issuer, issuer_key })
        }
        _ => None,
    })
}

fn write_credentials(folder: &Path, credentials: &Credentials) -> std::io::Result<()> {
    write(folder, ANCHOR, credentials.trust_anchor.as_bytes())?;
    write(folder, ANCHOR_KEY, credentials.trust_anchor_key.as_bytes())?;
    write(folder, ISSUER, credentials.issuer.as_bytes())?;
    write(folder, ISSUER_KEY, credentials.issuer_key.as_bytes())
}

fn read(folder: &Path, file: &str) -> std::io::Result<Option<Vec<u8>>> {
    match fs::read(folder.join(file)) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes a file that only its owner reads; never half of it.
pub fn write(folder: &Path, file: &str, content: &[u8]) -> std::io::Result<()> {
    let partial = folder.join(format!("{file}.partial"));
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600).open(&partial)?.write_all(content)?;
    fs::rename(partial, folder.join(file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn open(folder: &Path, trust_domain: &str) -> State {
        State::open(folder, "linkerd", trust_domain).unwrap()
    }

    #[test]
    fn a_restart_finds_the_same_authority_and_token_key() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (open(folder.path(), "cluster.local"), open(folder.path(), "cluster.local"));
        assert_eq!(first.credentials.trust_anchor, second.credentials.trust_anchor);
        assert_eq!(first.tokens.to_pkcs8().unwrap(), second.tokens.to_pkcs8().unwrap());
    }

    #[test]
    fn keys_are_for_their_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        open(folder.path(), "cluster.local");
        for file in [ANCHOR_KEY, ISSUER_KEY, TOKEN_KEY] {
            let mode = fs::metadata(folder.path().join(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
    }

    #[test]
    fn an_authority_that_cannot_be_read_is_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let first = open(folder.path(), "cluster.local").credentials.trust_anchor;
        fs::write(folder.path().join(ISSUER), "no certificate").unwrap();
        assert_ne!(open(folder.path(), "cluster.local").credentials.trust_anchor, first);
    }
}
