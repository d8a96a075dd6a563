//! The life of a process: parse, log, serve the admin port, run the tasks, drain, end.

use crate::{
    admin,
    args::{self, ProcessArgs},
    listen::{BindError, Listener},
    logging,
    tasks::{BoxError, Supervisor, TaskEnd, Tasks},
};
use std::{ffi::OsString, future::Future, process::ExitCode, time::Duration};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Longest time that tasks may take to end once the process stops.
const DRAIN_DEADLINE: Duration = Duration::from_secs(20);

/// Exit code for a configuration that cannot be used (`EX_USAGE` of sysexits).
const EX_USAGE: u8 = 64;

/// Why a process ended.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The start failed.
    #[error("{0}")]
    Start(BoxError),
    /// The admin port is taken.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The system refused something.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// A task ended, which none may.
    #[error("{name} ended: {reason}")]
    Task {
        /// Name of the task.
        name: String,
        /// Its error, or that it had none.
        reason: String,
    },
    /// The drain took too long or was cut short by a second signal.
    #[error("stopped before everything had ended: {0}")]
    Aborted(&'static str),
}

/// Arguments that cannot be used: all mistakes, so that they can be mended at once.
///
/// A start that fails with it ends the process as a usage error does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the configuration cannot be used:\n{}", .0.join("\n"))]
pub struct Misconfigured(pub Vec<String>);

/// Runs a process from its command line to its end.
///
/// `start` spawns the tasks and returns; the process then runs until a signal, or until a task ends.
pub fn main<A, F>(component: &'static str, start: impl FnOnce(A, Tasks) -> F) -> ExitCode
where
    A: ProcessArgs,
    F: Future<Output = Result<(), BoxError>>,
{
    keep_pages_small();
    let parsed = match args::parse::<A>(std::env::args_os(), component) {
        Ok(parsed) => parsed,
        Err(error) => return usage(&error),
    };
    let level = match logging::init(&parsed.common().log_level, parsed.common().log_format) {
        Ok(level) => level,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(1);
        }
    };
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "cannot start the runtime");
            return ExitCode::FAILURE;
        }
    };
    log_arguments(component, std::env::args_os());
    let (tasks, supervisor) = Tasks::new();
    let ended = runtime.block_on(async {
        let admin = Listener::bind(parsed.admin_addr())?;
        let starting = tasks.readiness.hold("start");
        tasks
            .spawn_draining("admin server", admin.serve(admin::router(tasks.clone(), level), tasks.shutdown().clone()));
        start(parsed, tasks.clone()).await.map_err(ProcessError::Start)?;
        drop(starting);
        supervise(tasks, supervisor).await
    });
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the process ends");
            error.exit_code()
        }
    }
}

impl ProcessError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Start(error) if error.is::<Misconfigured>() => ExitCode::from(EX_USAGE),
            Self::Start(_) | Self::Bind(_) | Self::Io(_) | Self::Task { .. } | Self::Aborted(_) => ExitCode::FAILURE,
        }
    }
}

/// Where the system gives pages of 2 MiB unasked, each counts whole however little of it is used: for a
/// process this small that is half of its memory.
fn keep_pages_small() {
    // A kernel that refuses leaves the process as it is, and larger.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

fn usage(error: &clap::Error) -> ExitCode {
    if error.kind() == clap::error::ErrorKind::DisplayVersion {
        println!("{}", env!("CARGO_PKG_VERSION"));
        return ExitCode::SUCCESS;
    }
    // Nothing can be done when the terminal does not take the message.
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(EX_USAGE) } else { ExitCode::SUCCESS }
}

/// The runtime of a process: a control plane waits more than it computes, and each thread costs memory.
///
/// # Errors
/// When the system refuses threads.
pub fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    let workers = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(4));
    tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build()
}

fn log_arguments(component: &str, arguments: impl Iterator<Item = OsString>) {
    let arguments: Vec<_> = arguments.skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect();
    tracing::info!(component, version = env!("CARGO_PKG_VERSION"), arguments = arguments.join(" "), "starting");
}

/// Runs until a signal or the end of a task, then drains.
///
/// # Errors
/// When a task ended before a signal came, or the drain was cut short.
pub async fn supervise(tasks: Tasks, mut supervisor: Supervisor) -> Result<(), ProcessError> {
    let mut signals = Signals::new()?;
    let failure = tokio::select! {
        name = signals.next() => {
            tracing::info!(signal = name, "stopping");
            None
        }
        () = tasks.shutdown().cancelled() => None,
        end = supervisor.next() => end.map(unexpected),
    };
    tokio::select! {
        () = tasks.drain() => {}
        _ = signals.next() => return Err(ProcessError::Aborted("a second signal came")),
        () = tokio::time::sleep(DRAIN_DEADLINE) => tracing::warn!("some tasks did not end in time"),
    }
    failure.map_or(Ok(()), Err)
}

fn unexpected(end: TaskEnd) -> ProcessError {
    let reason = end.result.err().map_or_else(|| "nothing is known of why".to_owned(), |error| error.to_string());
    ProcessError::Task { name: end.name, reason }
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}
