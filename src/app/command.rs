//! What `:` takes: one table of commands, read, completed, and corrected when nearly right.

use crate::model::acting::Verb;

/// A command as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// The applications.
    Applications,
    /// One application, by `name` or `namespace/name`.
    Application(String),
    /// What waits for approval.
    Approvals,
    /// The clusters.
    Clusters,
    /// The pods; of one application when named.
    Pods(Option<String>),
    /// The open forwards.
    Forwards,
    /// The tree of an application; without: of the one under the cursor.
    Tree(Option<String>),
    /// The revisions of an application; without: of the one under the cursor.
    Revisions(Option<String>),
    /// What was applied for an application against what is there now; without: of the one under the cursor.
    Diff(Option<String>),
    /// Why an application stands as it does; without: what is under the cursor.
    Why(Option<String>),
    /// What is wrong.
    Problems,
    /// The log of a pod, by name; without: of what is under the cursor.
    Logs(Option<String>),
    /// The logs of the pods that a label selector finds, in every cluster.
    LogsBySelector(String),
    /// The events of all clusters; of what an application made when named.
    Events(Option<String>),
    /// The keys.
    Help,
    /// One namespace, or all.
    Namespace(Option<String>),
    /// Approve what waits in an application; without: in the one under the cursor.
    Approve(Option<String>),
    /// List everything again.
    Resync,
    /// Something done with an object, by `KIND/NAME` or by name; without: with the one under the cursor.
    Object(With, Option<String>),
    /// Another number of pods for an object; without it the dialog asks how many.
    Scale(Option<String>, Option<String>),
    /// Leave.
    Quit,
}

/// What is done with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum With {
    /// Its YAML is shown.
    Yaml,
    /// It is described.
    Description,
    /// It is edited.
    Edit,
    /// A shell is opened in it.
    Shell,
    /// It is asked whether it shall be restarted or deleted.
    Act(Verb),
    /// It is asked whether it shall be scaled, to so many pods.
    Scale(Option<i64>),
}

/// What a command's argument names: what completion offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// None.
    None,
    /// An application.
    Application,
    /// An application that waits.
    Waiting,
    /// A pod.
    Pod,
    /// A namespace, or `all`.
    Namespace,
    /// An object, as `KIND/NAME`.
    Object,
    /// An object, and a number behind it.
    Scaled,
}

/// One line of the table of commands.
#[derive(Debug)]
pub struct Spec {
    /// Its names; the first is the one shown.
    pub names: &'static [&'static str],
    /// What it takes.
    pub argument: Argument,
    /// Whether it needs the argument.
    pub required: bool,
    /// What it does, for the help.
    pub help: &'static str,
    read: fn(Option<String>) -> Command,
}

/// Every command.
pub const COMMANDS: &[Spec] = &[
    Spec {
        names: &["apps", "applications", "ap"],
        argument: Argument::None,
        required: false,
        help: "the applications",
        read: |_| Command::Applications,
    },
    Spec {
        names: &["app", "application"],
        argument: Argument::Application,
        required: true,
        help: "one application: workflow, services, pods",
        read: |name| Command::Application(name.unwrap_or_default()),
    },
    Spec {
        names: &["approvals", "approval", "wait"],
        argument: Argument::None,
        required: false,
        help: "what waits for approval",
        read: |_| Command::Approvals,
    },
    Spec {
        names: &["clusters", "cluster", "cl"],
        argument: Argument::None,
        required: false,
        help: "the joined clusters and the links to them",
        read: |_| Command::Clusters,
    },
    Spec {
        names: &["pods", "pod", "po"],
        argument: Argument::Application,
        required: false,
        help: "the pods, in every cluster",
        read: Command::Pods,
    },
    Spec {
        names: &["pf", "forwards", "forward", "portforwards"],
        argument: Argument::None,
        required: false,
        help: "the open forwards",
        read: |_| Command::Forwards,
    },
    Spec {
        names: &["tree", "tr"],
        argument: Argument::Application,
        required: false,
        help: "the tree of everything an application made",
        read: Command::Tree,
    },
    Spec {
        names: &["events", "event", "ev"],
        argument: Argument::Application,
        required: false,
        help: "the events, in every cluster; of what one application made when named",
        read: Command::Events,
    },
    Spec {
        names: &["revisions", "revision", "rev"],
        argument: Argument::Application,
        required: false,
        help: "the revisions of an application, and what differs between them",
        read: Command::Revisions,
    },
    Spec {
        names: &["diff", "drift"],
        argument: Argument::Application,
        required: false,
        help: "what was applied for an application against what is there now",
        read: Command::Diff,
    },
    Spec {
        names: &["why"],
        argument: Argument::Application,
        required: false,
        help: "why an application stands as it does, down to the cause",
        read: Command::Why,
    },
    Spec {
        names: &["problems", "problem", "pr", "wrong"],
        argument: Argument::None,
        required: false,
        help: "what is wrong, in every cluster",
        read: |_| Command::Problems,
    },
    Spec {
        names: &["logs", "log"],
        argument: Argument::Pod,
        required: false,
        help: "the logs of a pod or an application; -l and a label selector: of the pods it finds",
        read: Command::Logs,
    },
    Spec {
        names: &["approve", "resume"],
        argument: Argument::Waiting,
        required: false,
        help: "approve what waits in an application",
        read: Command::Approve,
    },
    Spec {
        names: &["yaml", "yml"],
        argument: Argument::Object,
        required: false,
        help: "the YAML of an object: KIND/NAME, or what is under the cursor",
        read: |object| Command::Object(With::Yaml, object),
    },
    Spec {
        names: &["describe", "desc"],
        argument: Argument::Object,
        required: false,
        help: "describe an object: KIND/NAME, or what is under the cursor",
        read: |object| Command::Object(With::Description, object),
    },
    Spec {
        names: &["edit"],
        argument: Argument::Object,
        required: false,
        help: "edit an object in $EDITOR",
        read: |object| Command::Object(With::Edit, object),
    },
    Spec {
        names: &["shell", "sh", "exec"],
        argument: Argument::Pod,
        required: false,
        help: "a shell in a pod",
        read: |object| Command::Object(With::Shell, object),
    },
    Spec {
        names: &["restart"],
        argument: Argument::Object,
        required: false,
        help: "restart a Deployment, StatefulSet or DaemonSet; asks before",
        read: |object| Command::Object(With::Act(Verb::Restart), object),
    },
    Spec {
        names: &["scale"],
        argument: Argument::Scaled,
        required: false,
        help: "scale to so many pods: scale [KIND/NAME] [N]; asks before",
        read: read_scale,
    },
    Spec {
        names: &["delete"],
        argument: Argument::Object,
        required: false,
        help: "delete an object; asks before",
        read: |object| Command::Object(With::Act(Verb::Delete), object),
    },
    Spec {
        names: &["ns", "namespace", "namespaces"],
        argument: Argument::Namespace,
        required: false,
        help: "show one namespace, or all",
        read: |name| Command::Namespace(name.filter(|name| name != "all")),
    },
    Spec {
        names: &["resync"],
        argument: Argument::None,
        required: false,
        help: "list everything again",
        read: |_| Command::Resync,
    },
    Spec {
        names: &["help", "h"],
        argument: Argument::None,
        required: false,
        help: "the keys",
        read: |_| Command::Help,
    },
    Spec {
        names: &["quit", "q", "q!", "exit"],
        argument: Argument::None,
        required: false,
        help: "leave",
        read: |_| Command::Quit,
    },
];

/// `hello`, `deployment/hello`, `3`, `deployment/hello 3`.
fn read_scale(words: Option<String>) -> Command {
    let words = words.unwrap_or_default();
    let is_number = |word: &str| word.starts_with(|char: char| char.is_ascii_digit() || matches!(char, '-' | '+'));
    match words.split_once(' ') {
        Some((object, number)) => Command::Scale(Some(object.to_owned()), Some(number.to_owned())),
        None if words.is_empty() => Command::Scale(None, None),
        None if is_number(&words) => Command::Scale(None, Some(words)),
        None => Command::Scale(Some(words), None),
    }
}

/// Farthest that a misspelt word is still taken for a known one.
const NEAR: usize = 2;

/// Reads a line. The error is a sentence for the message line.
pub fn parse(line: &str) -> Result<Command, String> {
    let mut words = line.split_whitespace();
    let Some(name) = words.next() else { return Err("no command".to_owned()) };
    let Some(spec) = find(name) else {
        return Err(match nearest(name) {
            Some(near) => format!("no command \"{name}\"; the nearest is \"{near}\""),
            None => format!("no command \"{name}\"; ? shows what there is"),
        });
    };
    let mut argument = words.next().map(str::to_owned);
    let shown = spec.names.first().copied().unwrap_or_default();
    if shown == "logs" && argument.as_deref() == Some("-l") {
        let selector = words.collect::<Vec<_>>().join(" ");
        if selector.is_empty() {
            return Err("logs -l needs a label selector behind it: app=web,tier!=cache".to_owned());
        }
        return Ok(Command::LogsBySelector(selector));
    }
    if spec.argument == Argument::Scaled
        && let (Some(object), Some(number)) = (argument.as_mut(), words.next())
    {
        object.push(' ');
        object.push_str(number);
    }
    if let Some(extra) = words.next() {
        let most = if spec.argument == Argument::Scaled { "two words" } else { "one word" };
        return Err(format!("{shown} takes {most}, and \"{extra}\" is one too many"));
    }
    match (&argument, spec.argument) {
        (Some(word), Argument::None) => Err(format!("{shown} takes nothing behind it, not \"{word}\"")),
        (None, _) if spec.required => Err(format!("{shown} needs a name behind it")),
        _ => Ok((spec.read)(argument)),
    }
}

fn find(name: &str) -> Option<&'static Spec> {
    let name = name.to_lowercase();
    COMMANDS.iter().find(|spec| spec.names.contains(&name.as_str()))
}

/// The command's name nearest to a misspelt one.
fn nearest(name: &str) -> Option<&'static str> {
    let name = name.to_lowercase();
    let all = COMMANDS.iter().flat_map(|spec| spec.names.iter().copied());
    let near = all.map(|known| (strsim::damerau_levenshtein(known, &name), known)).min()?;
    // A short word is near to everything: half of it must be right.
    (near.0 <= NEAR && near.0 * 2 <= name.chars().count()).then_some(near.1)
}

/// What may stand where the cursor is: the words that begin as the last one does, and where that one begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completion {
    /// Byte offset of the word that is completed.
    pub from: usize,
    /// The words, best first.
    pub words: Vec<String>,
}

/// Completes the text before the cursor; `names` tells what an argument may be.
pub fn complete(before: &str, names: impl FnOnce(Argument) -> Vec<String>) -> Completion {
    let before_trimmed = before.trim_start();
    let indent = before.len() - before_trimmed.len();
    let Some((name, rest)) = before_trimmed.split_once(char::is_whitespace) else {
        let begun = before_trimmed.to_lowercase();
        let mut words: Vec<String> = Vec::new();
        for spec in COMMANDS {
            // One name each: the shown one if it fits, else the first alias that does.
            if let Some(name) = spec.names.iter().find(|name| name.starts_with(&begun)) {
                words.push((*name).to_owned());
            }
        }
        return Completion { from: indent, words };
    };
    let begun = rest.trim_start();
    let from = before.len() - begun.len();
    if begun.contains(char::is_whitespace) {
        return Completion { from, words: Vec::new() };
    }
    let Some(spec) = find(name).filter(|spec| spec.argument != Argument::None) else {
        return Completion { from, words: Vec::new() };
    };
    let begun = begun.to_lowercase();
    let mut words = names(spec.argument);
    // What begins so comes before what holds it somewhere: `helm` finds `default/helm-hello`.
    words.retain(|word| word.to_lowercase().contains(&begun));
    words.sort_by_cached_key(|word| (!word.to_lowercase().starts_with(&begun), word.clone()));
    Completion { from, words }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_and_means_one_command() {
        let mut seen = std::collections::BTreeSet::new();
        for spec in COMMANDS {
            for name in spec.names {
                assert!(seen.insert(name), "{name} twice");
                let line = if spec.required { format!("{name} x") } else { (*name).to_owned() };
                assert!(parse(&line).is_ok(), "{line}");
            }
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_what_is_near() {
        for (line, words) in [
            ("clutsers", "no command \"clutsers\"; the nearest is \"clusters\""),
            ("aprovals", "no command \"aprovals\"; the nearest is \"approvals\""),
            ("xyzzy", "no command \"xyzzy\"; ? shows what there is"),
            ("app", "app needs a name behind it"),
            ("clusters foo", "clusters takes nothing behind it, not \"foo\""),
            ("ns a b", "ns takes one word, and \"b\" is one too many"),
            ("  ", "no command"),
        ] {
            assert_eq!(parse(line), Err(words.to_owned()), "{line}");
        }
    }

    #[test]
    fn arguments_are_read() {
        assert_eq!(parse("ns all"), Ok(Command::Namespace(None)));
        assert_eq!(parse("NS prod"), Ok(Command::Namespace(Some("prod".into()))));
        assert_eq!(parse(" app default/x "), Ok(Command::Application("default/x".into())));
    }

    #[test]
    fn what_is_done_with_objects_is_read() {
        let yaml = |object: Option<&str>| Ok(Command::Object(With::Yaml, object.map(str::to_owned)));
        assert_eq!(parse("yaml"), yaml(None));
        assert_eq!(parse("yaml deploy/hello"), yaml(Some("deploy/hello")));
        let scale = |object: Option<&str>, number: Option<&str>| {
            Ok(Command::Scale(object.map(str::to_owned), number.map(str::to_owned)))
        };
        assert_eq!(parse("scale"), scale(None, None));
        assert_eq!(parse("scale 3"), scale(None, Some("3")));
        assert_eq!(parse("scale -1"), scale(None, Some("-1")));
        assert_eq!(parse("scale sts/db"), scale(Some("sts/db"), None));
        assert_eq!(parse("scale sts/db 3"), scale(Some("sts/db"), Some("3")));
        assert_eq!(parse("scale a b c"), Err("scale takes two words, and \"c\" is one too many".to_owned()));
    }

    #[test]
    fn completion_offers_commands_then_names() {
        let none = |_| Vec::new();
        assert_eq!(complete("cl", none), Completion { from: 0, words: vec!["clusters".into()] });
        assert_eq!(complete("ap", none).words, ["apps", "app", "approvals", "approve"]);
        let apps = |argument| {
            assert_eq!(argument, Argument::Application);
            vec!["default/helm-hello".to_owned(), "helm/x".to_owned(), "y/z".to_owned()]
        };
        let found = complete("app helm", apps);
        assert_eq!(found, Completion { from: 4, words: vec!["helm/x".into(), "default/helm-hello".into()] });
        assert_eq!(complete("clusters x", none).words, Vec::<String>::new());
    }
}
