//! The sandbox as a newcomer meets it: the commands of the README, on the demo application.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use linkerd_proto::identity::{CertifyRequest, identity_client::IdentityClient};
use linkerd_tests::process::{Process, ProcessBuilder, find};
use linkerd_tests::{eventually, port};
use linkerd2_proxy_double::ProxyDouble;
use linkerd2_proxy_double::config::Config;
use linkerd2_proxy_double::state::{Rpc, State, Target};
use tempfile::TempDir;

const DEADLINE: Duration = Duration::from_secs(20);

/// A sandbox on a copy of the demo application, with folders of its own.
struct Sandbox {
    folder: TempDir,
    process: Process,
    addresses: Addresses,
}

/// Where a sandbox serves, also after a restart.
#[derive(Clone, Copy)]
struct Addresses {
    admin: SocketAddr,
    identity: SocketAddr,
    destination: SocketAddr,
    policy: SocketAddr,
}

impl Addresses {
    fn free() -> Result<Self> {
        let free = || -> Result<SocketAddr> { Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port::free()?))) };
        Ok(Self { admin: free()?, identity: free()?, destination: free()?, policy: free()? })
    }
}

impl Sandbox {
    async fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        std::fs::create_dir(folder.path().join("demo"))?;
        let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/voting");
        for file in ["application.yaml", "policy.yaml", "service-profiles.yaml"] {
            std::fs::copy(demo.join(file), folder.path().join("demo").join(file))?;
        }
        let addresses = Addresses::free()?;
        let process = serve(folder.path(), addresses).await?;
        Ok(Self { folder, process, addresses })
    }

    async fn restart(&mut self) -> Result<()> {
        ensure!(self.process.terminate(DEADLINE).await?.success(), "the sandbox ended with an error");
        self.process = serve(self.folder.path(), self.addresses).await?;
        Ok(())
    }

    fn manifest(&self, file: &str) -> PathBuf {
        self.folder.path().join("demo").join(file)
    }

    /// Changes a file, so that its time changes too.
    fn edit(&self, file: &str, change: impl FnOnce(String) -> String) -> Result<()> {
        let path = self.manifest(file);
        Ok(std::fs::write(&path, change(std::fs::read_to_string(&path)?))?)
    }

    /// Runs a command that finds the sandbox by itself.
    async fn linkerd(&self, arguments: &[&str]) -> Result<Output> {
        let mut command = tokio::process::Command::new(find("linkerd")?);
        command.args(arguments).envs(environment(self.folder.path())).kill_on_drop(true);
        Ok(tokio::time::timeout(DEADLINE, command.output()).await??)
    }

    async fn stdout(&self, arguments: &[&str]) -> Result<String> {
        let output = self.linkerd(arguments).await?;
        ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }
}

fn environment(folder: &Path) -> [(&'static str, PathBuf); 2] {
    [("XDG_RUNTIME_DIR", folder.join("runtime")), ("XDG_STATE_HOME", folder.join("state"))]
}

async fn serve(folder: &Path, addresses: Addresses) -> Result<Process> {
    let Addresses { admin, identity, destination, policy } = addresses;
    let mut builder = ProcessBuilder::new("linkerd", admin)
        .arg("sandbox")
        .arg(folder.join("demo"))
        .arg(format!("--admin-addr={admin}"))
        .arg(format!("--identity-addr={identity}"))
        .arg(format!("--destination-addr={destination}"))
        .arg(format!("--policy-addr={policy}"));
    for (name, value) in environment(folder) {
        builder = builder.env(name, value);
    }
    let process = builder.start(DEADLINE).await?;
    eventually(DEADLINE, || async {
        ensure!(process.log().contains("The control plane runs"), "the sandbox has not said that it runs");
        Ok(())
    })
    .await?;
    Ok(process)
}

#[tokio::test]
async fn the_commands_of_the_readme_answer_and_follow_an_edit() -> Result<()> {
    let sandbox = Sandbox::start().await?;
    let log = sandbox.process.log();
    assert!(log.contains("web.emojivoto.serviceaccount.identity.linkerd.cluster.local"), "{log}");
    let authority = "web-svc.emojivoto.svc.cluster.local:80";
    let rows = |table: &str| table.lines().filter(|line| line.contains("web-svc.emojivoto")).count();
    assert_eq!(rows(&sandbox.stdout(&["diagnostics", "endpoints", authority]).await?), 1);
    let profile = sandbox.stdout(&["diagnostics", "profile", "voting-svc.emojivoto.svc.cluster.local:8080"]).await?;
    assert!(profile.contains("VotingService"), "{profile}");
    let policy = sandbox.stdout(&["diagnostics", "policy", "-n", "emojivoto", "svc/web-svc", "80"]).await?;
    assert!(policy.contains("name: web-svc"), "{policy}");

    sandbox.edit("application.yaml", |text| text.replace("replicas: 1", "replicas: 3"))?;
    eventually(DEADLINE, || async {
        let table = sandbox.stdout(&["diagnostics", "endpoints", authority]).await?;
        ensure!(rows(&table) == 3, "{table}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_bad_manifest_is_reported_with_file_document_and_field_and_the_rest_runs() -> Result<()> {
    let sandbox = Sandbox::start().await?;
    sandbox.edit("application.yaml", |text| {
        text + "---\napiVersion: v1\nkind: Service\nmetadata: {name: odd, namespace: emojivoto}\nspec: {ports: [{port: http}]}\n"
    })?;
    eventually(DEADLINE, || async {
        let log = sandbox.process.log();
        let problem = log.lines().find(|line| line.starts_with("problem: ")).context("no problem is reported")?;
        ensure!(problem.contains("application.yaml, document "), "{problem}");
        ensure!(problem.contains("field spec.ports[0].port: "), "{problem}");
        Ok(())
    })
    .await?;
    sandbox.stdout(&["diagnostics", "endpoints", "web-svc.emojivoto.svc.cluster.local:80"]).await?;
    let output = sandbox.linkerd(&["diagnostics", "endpoints", "odd.emojivoto.svc.cluster.local:80"]).await?;
    assert!(String::from_utf8_lossy(&output.stderr).contains("Service odd.emojivoto not found"));
    Ok(())
}

/// What `linkerd sandbox env` printed for the shell.
fn variable<'a>(environment: &'a str, name: &str) -> Result<&'a str> {
    let start = format!("export {name}='");
    let (_, rest) = environment.split_once(&start).with_context(|| format!("{name} is not set"))?;
    Ok(rest.split_once('\'').context("an open quote")?.0)
}

#[tokio::test]
async fn the_environment_of_a_pod_gets_a_certificate_before_and_after_a_restart() -> Result<()> {
    let mut sandbox = Sandbox::start().await?;
    let environment = sandbox.stdout(&["sandbox", "env", "web"]).await?;
    let name = variable(&environment, "LINKERD2_PROXY_IDENTITY_LOCAL_NAME")?;
    assert_eq!(name, "web.emojivoto.serviceaccount.identity.linkerd.cluster.local");
    assert_eq!(variable(&environment, "LINKERD2_PROXY_IDENTITY_SVC_ADDR")?, sandbox.addresses.identity.to_string());
    assert!(variable(&environment, "LINKERD2_PROXY_POLICY_WORKLOAD")?.ends_with("}\n"));
    let folder = PathBuf::from(variable(&environment, "LINKERD2_PROXY_IDENTITY_DIR")?);
    for file in ["key.p8", "csr.der", "token"] {
        let mode = std::fs::metadata(folder.join(file))?.permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }

    let request = || -> Result<CertifyRequest> {
        Ok(CertifyRequest {
            identity: name.to_owned(),
            token: std::fs::read(folder.join("token"))?,
            certificate_signing_request: std::fs::read(folder.join("csr.der"))?,
        })
    };
    let first = certify(sandbox.addresses.identity, request()?).await?;
    sandbox.restart().await?;
    let again = certify(sandbox.addresses.identity, request()?).await?;
    assert_eq!(first, again, "the restart made another authority");

    let stolen = CertifyRequest { identity: name.replace("web.", "voting."), ..request()? };
    assert!(certify(sandbox.addresses.identity, stolen).await.is_err(), "the token of one account served another");
    let stale = sandbox.stdout(&["sandbox", "env", "web"]).await?;
    assert_eq!(
        variable(&stale, "LINKERD2_PROXY_INBOUND_IPS")?,
        variable(&environment, "LINKERD2_PROXY_INBOUND_IPS")?,
        "the restart gave the pod another address"
    );
    Ok(())
}

/// The certificates of the authority that answers.
async fn certify(identity: SocketAddr, request: CertifyRequest) -> Result<Vec<Vec<u8>>> {
    let mut client = IdentityClient::connect(format!("http://{identity}")).await?;
    Ok(client.certify(request).await?.into_inner().intermediate_certificates)
}

#[tokio::test]
async fn what_stands_for_a_proxy_finds_nothing_wrong_through_an_edit_and_a_restart() -> Result<()> {
    let mut sandbox = Sandbox::start().await?;
    let environment = sandbox.stdout(&["sandbox", "env", "web"]).await?;
    let config = Config::from_environment(|name| {
        Some(variable(&environment, &format!("LINKERD2_PROXY_{name}")).ok()?.to_owned())
    })?;
    assert!(config.inbound_ports.contains(&8080), "{:?}", config.inbound_ports);
    let double = ProxyDouble::start(config)?;
    double.reaches(DEADLINE, |state| state.is_ready() && state.has_policy(8080) && state.has_policy(4191)).await?;

    let path = "voting-svc.emojivoto.svc.cluster.local:8080";
    let _connection = double.connect(Target::Authority(path.to_owned()));
    let has = |count: usize| move |state: &State| state.endpoints(path).is_some_and(|known| known.set.len() == count);
    double.reaches(DEADLINE, has(1)).await?;
    sandbox.edit("application.yaml", |text| text.replace("replicas: 1", "replicas: 3"))?;
    double.reaches(DEADLINE, has(3)).await?;
    sandbox.restart().await?;
    sandbox.edit("application.yaml", |text| text.replace("replicas: 3", "replicas: 2"))?;
    double.reaches(DEADLINE, has(2)).await?;
    let renewed = |state: &State, rpc| state.counter(rpc).requests > 1 && state.counter(rpc).messages > 1;
    let all = [Rpc::WatchPort, Rpc::Watch, Rpc::GetProfile, Rpc::Get];
    double.reaches(DEADLINE, |state| all.iter().all(|rpc| renewed(state, *rpc))).await?;
    assert_eq!(double.state().problems, [""; 0]);
    Ok(())
}

/// All that `linkerd sandbox env` printed.
fn variables(environment: &str) -> Vec<(String, String)> {
    let exports = environment.split("export ").skip(1).filter_map(|export| {
        let (name, value) = export.split_once("='")?;
        Some((name.to_owned(), value.split_once('\'')?.0.to_owned()))
    });
    exports.collect()
}

#[tokio::test]
async fn the_program_that_stands_for_a_proxy_runs_as_a_pod() -> Result<()> {
    let sandbox = Sandbox::start().await?;
    let environment = sandbox.stdout(&["sandbox", "env", "voting"]).await?;
    let admin = variable(&environment, "LINKERD2_PROXY_ADMIN_LISTEN_ADDR")?.parse()?;
    let mut builder = ProcessBuilder::new("linkerd2-proxy-double", admin);
    for (name, value) in variables(&environment) {
        builder = builder.env(name, value);
    }
    let mut process = builder.start(DEADLINE).await?;
    // gRPC, metrics and the admin port.
    eventually(DEADLINE, || async {
        let metrics = process.admin_get("/metrics").await?.body;
        let streams = "proxy_double_streams{method=\"InboundServerPolicies/WatchPort\"} 3";
        ensure!(metrics.lines().any(|line| line == streams), "{metrics}");
        ensure!(metrics.lines().any(|line| line == "proxy_double_problems_total 0"), "{metrics}");
        Ok(())
    })
    .await?;
    ensure!(process.terminate(DEADLINE).await?.success(), "it ended with an error");
    Ok(())
}

#[tokio::test]
async fn without_a_sandbox_commands_say_how_to_start_one() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut command = tokio::process::Command::new(find("linkerd")?);
    command.args(["sandbox", "env", "web"]).envs(environment(folder.path()));
    let output = command.output().await?;
    assert!(!output.status.success());
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("linkerd sandbox PATH"), "{error}");
    Ok(())
}
