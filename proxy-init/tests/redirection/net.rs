//! Two network namespaces joined by a cable: a pod, and a peer that it talks to.

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::{
    ffi::OsStr,
    fs::File,
    io::{self, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream},
    os::{fd::AsFd, unix::process::CommandExt},
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

/// Addresses of the pod and of its peer, one of each IP version.
pub const POD: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(10, 200, 0, 1)), IpAddr::V6(Ipv6Addr::new(0xfd0a, 0, 0, 0, 0, 0, 0, 1))];
pub const PEER: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(10, 200, 0, 2)), IpAddr::V6(Ipv6Addr::new(0xfd0a, 0, 0, 0, 0, 0, 0, 2))];
pub const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
pub const INBOUND: u16 = 4143;
pub const OUTBOUND: u16 = 4140;

/// Fails with what to do about it where namespaces and firewalls cannot be had.
fn require() {
    assert!(rustix::process::geteuid().is_root(), "network namespaces need root; run this test as root");
    for (program, package) in [
        ("ip", "iproute2"),
        ("iptables-nft", "iptables"),
        ("iptables-legacy", "iptables"),
        ("nsenter", "util-linux"),
        ("sysctl", "procps"),
    ] {
        let found = linkerd2_proxy_init::init::command::find(program).is_some();
        assert!(found, "this test needs {program}; `apt-get install -y {package}`");
    }
}

/// A network namespace of its own.
pub struct Namespace {
    name: String,
}

impl Namespace {
    pub fn new(role: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        require();
        let name = format!("l5d-{}-{}-{role}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        ip(&format!("netns add {name}"));
        let namespace = Self { name };
        namespace.ip("link set lo up");
        namespace
    }

    pub fn path(&self) -> String {
        format!("/run/netns/{}", self.name)
    }

    fn ip(&self, arguments: &str) {
        ip(&format!("-n {} {arguments}", self.name));
    }

    /// Runs `f` on a thread inside.
    pub fn within<T: Send>(&self, f: impl FnOnce() -> T + Send) -> T {
        let handle = File::open(self.path()).expect("the namespace");
        thread::scope(|scope| {
            let thread = scope.spawn(move || {
                move_into_link_name_space(handle.as_fd(), Some(LinkNameSpaceType::Network)).expect("to enter it");
                f()
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Starts a program inside.
    pub fn spawn(&self, program: &str, arguments: &str, path: Option<&OsStr>) -> Child {
        self.within(|| {
            let mut command = Command::new(program);
            command.args(arguments.split_whitespace()).stdout(Stdio::piped()).stderr(Stdio::piped());
            command.stdin(Stdio::null());
            if let Some(path) = path {
                command.env("PATH", path);
            }
            command.spawn().expect("the program was built")
        })
    }

    /// The `nat` table of one program: `iptables-nft` and the like.
    pub fn table(&self, program: &str) -> String {
        let child = self.spawn(&format!("{program}-save"), "-t nat", None);
        let output = child.wait_with_output().expect("the program runs");
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).expect("text");
        text.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect()
    }

    /// Answers every connection to `addr` with `answer`.
    pub fn serve(&self, addr: SocketAddr, answer: &'static str) {
        let listener = self.within(|| TcpListener::bind(addr)).expect("a free address");
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                // Whoever went away does not matter.
                let _ = stream.write_all(answer.as_bytes());
            }
        });
    }

    /// What answers at an address.
    pub fn ask(&self, addr: SocketAddr) -> io::Result<String> {
        self.within(|| {
            let mut stream = TcpStream::connect_timeout(&addr, Duration::from_secs(5))?;
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        })
    }

    /// What answers a connection made by another user or group.
    pub fn ask_as(&self, uid: u32, gid: u32, addr: SocketAddr) -> String {
        let script = format!("exec 3<>/dev/tcp/{}/{} && cat <&3", addr.ip(), addr.port());
        let run = || Command::new("bash").args(["-c", &script]).uid(uid).gid(gid).current_dir("/").output();
        let output: Output = self.within(run).expect("bash");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // A failure here would hide why the test failed.
        let _ = Command::new("ip").args(["netns", "delete", &self.name]).status();
    }
}

/// A pod with a proxy and an application, and a peer with a server.
pub struct Network {
    pub pod: Namespace,
    pub peer: Namespace,
}

impl Network {
    pub fn new() -> Self {
        let network = Self { pod: Namespace::new("pod"), peer: Namespace::new("peer") };
        ip(&format!("link add eth0 netns {} type veth peer name eth0 netns {}", network.pod.name, network.peer.name));
        for (namespace, addresses) in [(&network.pod, POD), (&network.peer, PEER)] {
            namespace.ip(&format!("address add {}/24 dev eth0", addresses[0]));
            // Without the wait for other owners of the address.
            namespace.ip(&format!("address add {}/64 dev eth0 nodad", addresses[1]));
            namespace.ip("link set eth0 up");
        }
        // A way to the rest of the world, which is not there.
        network.pod.ip(&format!("route add default via {}", PEER[0]));
        network.pod.ip(&format!("-6 route add default via {}", PEER[1]));
        network
    }

    /// As `new`, with a proxy and an application in the pod, and a server at the peer.
    pub fn with_servers() -> Self {
        let network = Self::new();
        // An IPv6 listener takes connections of both versions.
        let any = |port| SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
        network.pod.serve(any(INBOUND), "inbound");
        for address in LOOPBACK {
            network.pod.serve((address, OUTBOUND).into(), "outbound");
        }
        for port in [80, 8080, 9090] {
            network.pod.serve(any(port), "app");
            network.peer.serve(any(port), "peer");
        }
        network
    }
}

fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split(' ')).output().expect("ip");
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}
