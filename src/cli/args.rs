//! The command line's words.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{
    cluster::{hub::Connect, logs::STREAMS},
    model::selector::Selector,
};

/// No limit: ten years, which clocks can still be added to.
const NO_LIMIT: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// A terminal dashboard for KubeVela multi-cluster delivery.
///
/// Without a command: the dashboard.
#[derive(Debug, Parser)]
#[command(name = "lateen", version, about, long_about = None, disable_help_subcommand = true)]
pub(super) struct Cli {
    /// What holds for every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do; without: the dashboard.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Flags before or after the command.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// The kubeconfig to use instead of $KUBECONFIG or ~/.kube/config
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The context to use instead of the current one
    #[arg(long, global = true, value_name = "NAME")]
    pub context: Option<String>,
    /// The namespace of applications
    #[arg(short, long, global = true, value_name = "NS", value_parser = namespace)]
    pub namespace: Option<String>,
    /// All namespaces
    #[arg(short = 'A', long, global = true, conflicts_with = "namespace")]
    pub all_namespaces: bool,
    /// Act as this user
    #[arg(long = "as", global = true, value_name = "USER")]
    pub as_user: Option<String>,
    /// Act as a member of this group; may be repeated
    #[arg(long = "as-group", global = true, value_name = "GROUP", requires = "as_user")]
    pub as_groups: Vec<String>,
    /// Time that a single request may take (0: no limit)
    #[arg(long, global = true, value_name = "TIME", default_value = "10s", value_parser = limit)]
    pub request_timeout: Duration,
    /// Refuse everything that writes
    #[arg(long, global = true)]
    pub readonly: bool,
    /// Do not ask before writing
    #[arg(short, long, global = true)]
    pub yes: bool,
    /// Whether a write goes ahead when it cannot be put on record
    #[arg(long, global = true, value_enum, default_value_t = AuditMode::Strict)]
    pub audit: AuditMode,
    /// No colours (as with $NO_COLOR)
    #[arg(long, global = true)]
    pub no_color: bool,
    /// ASCII alone, for terminals and fonts without more
    #[arg(long, global = true)]
    pub ascii: bool,
    /// Logs that are followed at once, each on a connection of its own; the others follow as these end
    #[arg(long, global = true, value_name = "N", env = "LATEEN_LOG_STREAMS", default_value_t = STREAMS, value_parser = streams)]
    pub log_streams: usize,
    /// Memory for the lines of logs, in bytes or as 64Mi, 200M, 1Gi; beyond it the oldest go
    #[arg(long, global = true, value_name = "SIZE", env = "LATEEN_MAX_MEMORY", default_value = "64Mi", value_parser = size)]
    pub max_memory: usize,
    /// Keep a log in the state directory, of that level or worse: error, warn, info, debug, trace
    #[arg(long, global = true, value_name = "LEVEL", env = "LATEEN_LOG", hide_env_values = true)]
    pub log_level: Option<String>,
}

impl Global {
    /// How to connect.
    pub(super) fn connect(&self) -> Connect {
        Connect {
            kubeconfig: self.kubeconfig.clone(),
            context: self.context.clone(),
            as_user: self.as_user.clone(),
            as_groups: self.as_groups.clone(),
            request_timeout: self.request_timeout,
            interactive: true,
        }
    }
}

/// What to do when the audit cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum AuditMode {
    /// Write nothing to the cluster that is not on record
    Strict,
    /// Say so, and go ahead
    BestEffort,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show applications, approvals, clusters, pods, problems, events, or the tree of what an application made
    Get(Get),
    /// Show what was applied for an application against what is there now, or two of its revisions (exit code 7: they differ)
    Diff(Diff),
    /// Apply Applications from a file: created, or changed by a three-way merge
    Up(Up),
    /// Resume a workflow that waits
    Approve(Approve),
    /// Delete an application, and with it what it made in every cluster
    Delete(Delete),
    /// Join a cluster to the hub, by a kubeconfig that reaches it
    Join(Join),
    /// Detach a cluster that nothing is delivered to any more
    Detach(Detach),
    /// Show or follow the logs of an application's pods, in every cluster
    Logs(Logs),
    /// Forward a local port to an application's service or pod, in any cluster
    PortForward(PortForward),
    /// Say what this lateen is, and where it keeps things
    Info,
    /// Print the completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Look around in a simulated estate, with nothing else installed
    #[cfg(feature = "demo")]
    Demo(Demo),
}

/// `lateen get`
#[derive(Debug, Args)]
pub(super) struct Get {
    /// What to show
    #[arg(value_enum)]
    pub what: What,
    /// Only the one of that name (NAMESPACE/NAME for one elsewhere)
    pub name: Option<String>,
    /// Only what is in that cluster
    #[arg(long, value_name = "CLUSTER")]
    pub cluster: Option<String>,
    /// Only those with these labels: app=hello,tier!=cache,env in (prod,test),!legacy (of approvals: their application's)
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    pub selector: Option<Selector>,
    /// The form of the answer
    #[arg(short, long, value_enum, default_value_t = Form::Table)]
    pub output: Form,
    /// Stay, and tell of every change (with -o json: an object a line, `{"type": "added|changed|removed", "item": …}`)
    #[arg(short, long)]
    pub watch: bool,
}

/// What `get` shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum What {
    /// Applications
    #[value(alias = "application", alias = "apps", alias = "app")]
    Applications,
    /// Steps that wait for a person
    #[value(alias = "approval")]
    Approvals,
    /// Joined clusters and the links to them
    #[value(alias = "cluster")]
    Clusters,
    /// Pods of applications, in every cluster
    #[value(alias = "pod", alias = "po")]
    Pods,
    /// Everything that an application made, in every cluster
    Tree,
    /// What an application said each time it said something new
    #[value(alias = "revision", alias = "rev")]
    Revisions,
    /// Events of every cluster, the newest first; with a name those of what that application made
    #[value(alias = "event", alias = "ev")]
    Events,
    /// What is wrong, in every cluster
    #[value(alias = "problem")]
    Problems,
}

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// Columns
    Table,
    /// More columns
    Wide,
    /// `{"items": […], "incomplete": […]}`
    Json,
    /// The same as YAML
    Yaml,
    /// Names, one a line
    Name,
}

/// `lateen diff`
#[derive(Debug, Args)]
pub(super) struct Diff {
    /// The application: NAME, or NAMESPACE/NAME
    pub app: String,
    /// A revision, by its name or number (v3), instead of what was applied
    #[arg(value_name = "REVISION")]
    pub first: Option<String>,
    /// The revision to compare that one with, instead of the current one; `live`: the application's spec as it is now
    #[arg(value_name = "REVISION")]
    pub second: Option<String>,
    /// Fetch and compare the content of Secrets too; keys and sizes are told, values never are
    #[arg(long, conflicts_with = "first")]
    pub secrets: bool,
    /// Only what is in that cluster
    #[arg(long, value_name = "CLUSTER")]
    pub cluster: Option<String>,
    /// The form of the answer
    #[arg(short, long, value_enum, default_value_t = DiffForm::Text)]
    pub output: DiffForm,
}

/// The form of what differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum DiffForm {
    /// A unified diff of each thing that differs
    Text,
    /// `{"items": […], "incomplete": […]}`, also of what does not differ, with what was not compared
    Json,
    /// The same as YAML
    Yaml,
}

/// `lateen up`
#[derive(Debug, Args)]
pub(super) struct Up {
    /// The file with one or several Applications; - is standard input
    #[arg(short, long, value_name = "FILE")]
    pub file: PathBuf,
    /// Have the server check everything, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Wait until every workflow has ended or waits for a person, at most so long
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "10m", value_parser = duration)]
    pub wait: Option<Duration>,
}

/// `lateen delete`
#[derive(Debug, Args)]
pub(super) struct Delete {
    /// The application: NAME, or NAMESPACE/NAME
    pub app: String,
    /// Wait until it is gone, at most so long
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "10m", value_parser = duration)]
    pub wait: Option<Duration>,
}

/// `lateen approve`
#[derive(Debug, Args)]
pub(super) struct Approve {
    /// The application: NAME, or NAMESPACE/NAME
    pub app: String,
    /// The step to resume, where several wait
    #[arg(long, value_name = "STEP", conflicts_with = "all")]
    pub step: Option<String>,
    /// Resume every step that waits
    #[arg(long)]
    pub all: bool,
    /// Wait until the workflow has ended or waits again, at most so long
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "10m", value_parser = duration)]
    pub wait: Option<Duration>,
}

/// `lateen join`
#[derive(Debug, Args)]
pub(super) struct Join {
    /// The kubeconfig that reaches the cluster
    #[arg(long, value_name = "FILE")]
    pub kubeconfig_of: PathBuf,
    /// Its context to use instead of the current one
    #[arg(long, value_name = "CONTEXT")]
    pub context_of: Option<String>,
    /// The name the cluster gets
    #[arg(long, value_name = "NAME", value_parser = namespace)]
    pub name: String,
    /// A name for people
    #[arg(long, value_name = "ALIAS")]
    pub alias: Option<String>,
    /// A label that topologies choose the cluster by; may be repeated
    #[arg(long = "label", value_name = "K=V", value_parser = label)]
    pub labels: Vec<(String, String)>,
}

/// `lateen detach`
#[derive(Debug, Args)]
pub(super) struct Detach {
    /// The cluster
    #[arg(value_parser = namespace)]
    pub name: String,
}

/// `lateen logs`
#[derive(Debug, Default, Args)]
pub(super) struct Logs {
    /// The application: NAME, or NAMESPACE/NAME
    #[arg(required_unless_present = "selector")]
    pub app: Option<String>,
    /// Only pods with these labels; without an application any pod that has them
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    pub selector: Option<String>,
    /// Only that component
    #[arg(long, value_name = "COMPONENT")]
    pub component: Option<String>,
    /// The log of that workflow step, where it says of which pods that is
    #[arg(long, value_name = "STEP", requires = "app", conflicts_with_all = ["component", "selector"])]
    pub step: Option<String>,
    /// Only that cluster
    #[arg(long, value_name = "CLUSTER")]
    pub cluster: Option<String>,
    /// That container instead of the main one; `all`: each, init, sidecar and ephemeral ones too
    #[arg(long, value_name = "CONTAINER")]
    pub container: Option<String>,
    /// Stay for what comes
    #[arg(short, long)]
    pub follow: bool,
    /// Lines of each pod before now to begin with
    #[arg(long, value_name = "N")]
    pub tail: Option<u32>,
    /// Only lines of the last while: 30s, 5m, 1h
    #[arg(long, value_name = "DURATION", value_parser = duration, conflicts_with = "tail")]
    pub since: Option<Duration>,
    /// Only lines that this regular expression matches; in any case unless it has a capital; may be repeated
    #[arg(long, value_name = "REGEX")]
    pub include: Vec<String>,
    /// No lines that this regular expression matches; may be repeated
    #[arg(long, value_name = "REGEX")]
    pub exclude: Vec<String>,
    /// The terminated instance instead of the running one
    #[arg(long)]
    pub previous: bool,
    /// The time of each line
    #[arg(long)]
    pub timestamps: bool,
    /// The form of the answer
    #[arg(short, long, value_enum, default_value_t = LogForm::Text)]
    pub output: LogForm,
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum LogForm {
    /// Source and text
    #[default]
    Text,
    /// An object a line
    Json,
}

/// `lateen port-forward`
#[derive(Debug, Args)]
pub(super) struct PortForward {
    /// The application: NAME, or NAMESPACE/NAME
    pub app: String,
    /// The port to reach, and the local port before a colon (0: any free one); without a local one: 80→8080, 443→8443, else the same
    #[arg(value_name = "[LOCAL:]REMOTE")]
    pub port: Port,
    /// Only in that cluster
    #[arg(long, value_name = "CLUSTER")]
    pub cluster: Option<String>,
    /// That service or pod, where several have the port; a namespace tells those of one name apart
    #[arg(long, value_name = "[NAMESPACE/]KIND/NAME")]
    pub target: Option<String>,
    /// The local address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub address: std::net::IpAddr,
}

/// `[LOCAL:]REMOTE`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Port {
    /// The local port, if one was named.
    pub local: Option<u16>,
    /// The port of the service or pod.
    pub remote: u16,
}

impl std::str::FromStr for Port {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse::<u16>().map_err(|_| format!("\"{text}\" is no port: 1 to 65535"));
        let (local, remote) = match text.split_once(':') {
            // `:80` takes any free local port, as kubectl has it.
            Some(("", remote)) => (Some(0), remote),
            Some((local, remote)) => (Some(number(local)?), remote),
            None => (None, text),
        };
        match number(remote)? {
            0 => Err("port 0 cannot be reached: 1 to 65535".to_owned()),
            remote => Ok(Self { local, remote }),
        }
    }
}

/// `lateen demo`
#[cfg(feature = "demo")]
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Demo {
    /// What to do to an estate that runs already
    #[command(subcommand)]
    pub command: Option<DemoCommand>,
    /// Run the estate alone, until SIGINT or SIGTERM; prints `ready KUBECONFIG` when it can be used
    #[arg(long)]
    pub serve: bool,
    /// Where the hub listens; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub listen: std::net::SocketAddr,
    /// Where to write the kubeconfig that reaches the estate
    #[arg(long, value_name = "FILE")]
    pub kubeconfig_out: Option<PathBuf>,
    /// Start with bare clusters: nothing joined, nothing delivered
    #[arg(long)]
    pub empty: bool,
    /// Member clusters beside foo
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub clusters: usize,
    /// Synthetic applications, in all
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub apps: usize,
    /// Synthetic pods, in all
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub pods: usize,
    /// Clusters that each synthetic application is delivered to (else one to three)
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub spread: usize,
    /// Changes a second, in all clusters together
    #[arg(long, value_name = "N/s", value_parser = rate)]
    pub churn: Option<f64>,
    /// Log lines a second of a running container
    #[arg(long, value_name = "N/s", value_parser = rate)]
    pub log_rate: Option<f64>,
    /// Milliseconds added to each request to a member
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub latency: u64,
    /// How fast time runs there
    #[arg(long, value_name = "X", default_value = "1", value_parser = speed)]
    pub speed: f64,
    /// The same seed gives the same estate
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// More than what the estate opens with: bad-days, held, runs, vela-1.4, workloads, all, or a file of one's own
    /// (objects as YAML, each with its `cluster`)
    #[arg(long, value_name = "NAME|FILE")]
    pub scenario: Option<PathBuf>,
}

/// `lateen demo …`
#[cfg(feature = "demo")]
#[derive(Debug, Subcommand)]
pub(super) enum DemoCommand {
    /// Disturb a running estate; --kubeconfig FILE says which
    Ctl(super::ctl::Ctl),
}

/// As [`duration`], where nothing is no limit, as kubectl has it.
fn limit(text: &str) -> Result<Duration, String> {
    duration(text).map(|limit| if limit.is_zero() { NO_LIMIT } else { limit })
}

/// At least one.
fn streams(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|count| *count > 0).ok_or_else(|| format!("\"{text}\" is no count of at least 1"))
}

/// The least memory for logs: a line of the longest kind, and what it takes to show it.
const LEAST: usize = 1 << 20;

/// `64Mi`, `200M`, `1Gi`, or a number of bytes, as Kubernetes writes quantities.
fn size(text: &str) -> Result<usize, String> {
    let units =
        [("Ki", 1 << 10), ("Mi", 1 << 20), ("Gi", 1 << 30), ("k", 1000), ("M", 1_000_000), ("G", 1_000_000_000)];
    let (number, unit) =
        units.into_iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, unit))).unwrap_or((text, 1_usize));
    let bytes = number.parse::<usize>().ok().and_then(|number| number.checked_mul(unit));
    let bytes = bytes.ok_or_else(|| format!("\"{text}\" is no size: 64Mi, 200M, 1Gi"))?;
    if bytes < LEAST { Err(format!("\"{text}\" is too little: 1Mi or more")) } else { Ok(bytes) }
}

/// `10s`, `1m30s`, `2h`, or a number of seconds.
fn duration(text: &str) -> Result<Duration, String> {
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(Duration::from_secs(seconds));
    }
    let signed: jiff::SignedDuration = text.parse().map_err(|_| format!("\"{text}\" is no time: 10s, 1m30s, 2h"))?;
    Duration::try_from(signed).map_err(|_| format!("\"{text}\" is negative"))
}

/// `50` or `50/s`.
#[cfg(feature = "demo")]
fn rate(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix("/s").unwrap_or(text).parse::<f64>();
    number.ok().filter(|rate| rate.is_finite() && *rate >= 0.0).ok_or_else(|| format!("\"{text}\" is no rate: 50/s"))
}

#[cfg(feature = "demo")]
fn speed(text: &str) -> Result<f64, String> {
    let speed = text.parse::<f64>().ok().filter(|speed| speed.is_finite() && *speed > 0.0);
    speed.ok_or_else(|| format!("\"{text}\" is no speed: 1 is real time, 20 is twenty times as fast"))
}

/// `region=eu`
fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("a label is KEY=VALUE".to_owned()),
    }
}

/// A namespace's name, as Kubernetes takes it (RFC 1123): it becomes part of a path.
pub(super) fn namespace(typed: &str) -> Result<String, String> {
    let fits = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-';
    if (1..=63).contains(&typed.len()) && typed.chars().all(fits) && !typed.starts_with('-') && !typed.ends_with('-') {
        Ok(typed.to_owned())
    } else {
        Err("not a name: small letters, digits and - alone".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(std::iter::once("lateen").chain(line.split_whitespace()))
    }

    #[test]
    fn the_words_are_consistent() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn global_flags_stand_before_or_after_the_command() {
        for line in ["-n test --context hub get apps -o json", "get apps -o json -n test --context hub"] {
            let cli = parse(line).unwrap();
            assert_eq!((cli.global.namespace.as_deref(), cli.global.context.as_deref()), (Some("test"), Some("hub")));
            let Some(Command::Get(get)) = cli.command else { panic!("{line}") };
            assert_eq!((get.what, get.output), (What::Applications, Form::Json));
        }
    }

    #[test]
    fn wrong_words_are_refused() {
        for line in [
            "get",
            "get nothing",
            "get pods -o xml",
            "-n a -A",
            "--request-timeout soon",
            "get apps -l =",
            "up",
            "delete",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn ports_and_times() {
        assert_eq!("80".parse(), Ok(Port { local: None, remote: 80 }));
        assert_eq!("8080:80".parse(), Ok(Port { local: Some(8080), remote: 80 }));
        assert_eq!(":80".parse(), Ok(Port { local: Some(0), remote: 80 }));
        assert_eq!(duration("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse("get apps --request-timeout 0s").unwrap().global.request_timeout, NO_LIMIT);
        assert_eq!(duration("15"), Ok(Duration::from_secs(15)));
        assert_eq!(parse("get apps").unwrap().global.request_timeout, Duration::from_secs(10));
        let Some(Command::Approve(approve)) = parse("approve a --wait").unwrap().command else { panic!() };
        assert_eq!(approve.wait, Some(Duration::from_secs(600)));
        let Some(Command::Approve(approve)) = parse("approve a --wait=5s -y").unwrap().command else { panic!() };
        assert_eq!(approve.wait, Some(Duration::from_secs(5)));
    }

    #[test]
    fn a_namespace_stays_within_its_part_of_the_path() {
        for (typed, taken) in
            [("default", true), ("team-4", true), ("a/b", false), ("..", false), ("", false), ("-a", false)]
        {
            assert_eq!(namespace(typed).is_ok(), taken, "{typed}");
        }
    }
}
