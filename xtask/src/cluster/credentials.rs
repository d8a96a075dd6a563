//! Keys, certificates, tokens and kubeconfigs of a node.
//!
//! Servers have certificates; clients have tokens, of the users that Kubernetes' own roles are
//! bound to. Two clients need certificates instead: the API server, towards the kubelet and towards
//! extension API servers.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use serde_json::json;

use super::state;

/// Who speaks to the API server: the file of its kubeconfig, its user and its groups.
const CLIENTS: &[(&str, &str, &str)] = &[
    ("kubeconfig", "admin", "system:masters"),
    ("config/kube-controller-manager.kubeconfig", "system:kube-controller-manager", ""),
    ("config/kube-scheduler.kubeconfig", "system:kube-scheduler", ""),
    ("config/kube-proxy.kubeconfig", "system:kube-proxy", ""),
];

/// Where the API server is, and as what it is known.
pub struct Server<'a> {
    pub url: String,
    pub names: &'a [&'a str],
    /// The name of the node, which its kubelet speaks for.
    pub node: &'a str,
}

/// Writes everything below `.cache/cluster`.
pub fn write(server: &Server<'_>) -> Result<()> {
    fs::create_dir_all(state::folder().join("config"))?;
    fs::set_permissions(state::folder(), fs::Permissions::from_mode(0o700))?;
    let ca = authority("linkerd-rs development cluster")?;
    state::write("config/ca.crt", &ca.pem())?;
    let names: Vec<_> = server.names.iter().map(|name| (*name).to_owned()).collect();
    let mut serving = CertificateParams::new(names)?;
    serving.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    issue("apiserver", serving, &ca)?;
    issue("kubelet-client", client("kube-apiserver", Some("system:masters"))?, &ca)?;

    let front_proxy = authority("linkerd-rs front proxy")?;
    state::write("config/front-proxy-ca.crt", &front_proxy.pem())?;
    issue("front-proxy-client", client("front-proxy-client", None)?, &front_proxy)?;

    let tokens = KeyPair::generate()?;
    state::write("config/service-accounts.key", &tokens.serialize_pem())?;
    state::write("config/service-accounts.pub", &tokens.public_key_pem())?;

    let kubelet = format!("system:node:{}", server.node);
    let mut lines = String::new();
    for (file, user, groups) in
        CLIENTS.iter().copied().chain([("config/kubelet.kubeconfig", &*kubelet, "system:nodes")])
    {
        let token = random_token()?;
        lines.push_str(&format!("{token},{user},{user},\"{groups}\"\n"));
        state::write(file, &kubeconfig(server, &ca.pem(), user, &token))?;
    }
    state::write("config/tokens.csv", &lines)
}

fn authority(name: &str) -> Result<CertifiedIssuer<'static, KeyPair>> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

fn client(name: &str, group: Option<&str>) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, name);
    if let Some(group) = group {
        params.distinguished_name.push(DnType::OrganizationName, group);
    }
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    Ok(params)
}

fn issue(name: &str, params: CertificateParams, ca: &CertifiedIssuer<'_, KeyPair>) -> Result<()> {
    let key = KeyPair::generate()?;
    state::write(&format!("config/{name}.crt"), &params.signed_by(&key, ca)?.pem())?;
    state::write(&format!("config/{name}.key"), &key.serialize_pem())
}

/// JSON is YAML. The certificate is inside, so that the file can be taken elsewhere.
fn kubeconfig(server: &Server<'_>, ca: &str, user: &str, token: &str) -> String {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "linkerd-rs", "cluster": {
            "server": server.url,
            "certificate-authority-data": BASE64_STANDARD.encode(ca),
        }}],
        "users": [{ "name": user, "user": { "token": token } }],
        "contexts": [{ "name": "linkerd-rs", "context": { "cluster": "linkerd-rs", "user": user } }],
        "current-context": "linkerd-rs",
    })
    .to_string()
}

fn random_token() -> Result<String> {
    let mut bytes = [0; 16];
    let mut random = fs::File::open("/dev/urandom").context("cannot open /dev/urandom")?;
    random.read_exact(&mut bytes).context("cannot read /dev/urandom")?;
    Ok(bytes.map(|byte| format!("{byte:02x}")).concat())
}
