//! The one table of keys: the program obeys it, the footer and the help show it.

use std::fmt;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// One row down.
    Down,
    /// One row up.
    Up,
    /// To the first row.
    Top,
    /// To the last row.
    Bottom,
    /// One screen down.
    PageDown,
    /// One screen up.
    PageUp,
    /// Into the thing under the cursor.
    Enter,
    /// Back to where one came from.
    Back,
    /// Type a command.
    Command,
    /// Type a filter.
    Filter,
    /// Show the keys.
    Help,
    /// The next panel of the page.
    NextPanel,
    /// The previous panel of the page.
    PreviousPanel,
    /// Back in the history of views.
    HistoryBack,
    /// Forward in the history of views.
    HistoryForward,
    /// The view before this one.
    LastView,
    /// A namespace favourite; 0 is all.
    Namespace(u8),
    /// Copy the name under the cursor.
    Copy,
    /// Times absolute or relative.
    AbsoluteTimes,
    /// List everything again.
    Resync,
    /// To the shell; `fg` returns.
    Suspend,
    /// Back; at home, leave.
    Quit,
    /// Leave at once.
    QuitNow,
    /// Only what is not ok.
    OnlyNotOk,
    /// The sort column one to the left.
    SortLeft,
    /// The sort column one to the right.
    SortRight,
    /// Turn the sort order.
    SortTurn,
    /// Approve what waits.
    Approve,
    /// The approvals.
    Approvals,
    /// The log of the thing under the cursor.
    Logs,
    /// Forward a port to the thing under the cursor.
    Forward,
    /// The open forwards.
    Forwards,
    /// Stop the forward under the cursor.
    Stop,
    /// Hold the picture of the log, or go on.
    Pause,
    /// To the left, of text wider than the screen.
    PanLeft,
    /// To the right.
    PanRight,
    /// Choose other containers.
    Container,
    /// Let long lines go on in the next one, or not.
    Wrap,
    /// The next way to tell times.
    TimeStyle,
    /// The next way to tell sources.
    SourceStyle,
    /// More lines around those that match.
    Context,
    /// Begin the log elsewhere: 0 its end, 1 its head, 2 to 6 a time ago.
    Since(u8),
    /// To the lines of a time that is asked for.
    GoToTime,
    /// To the next marked line.
    NextMark,
    /// Save everything that is kept.
    SaveAll,
    /// Save what is shown, for machines.
    Export,
    /// Only the source under the cursor, or all again.
    Solo,
    /// All sources.
    AllSources,
    /// Show or hide the sources of a cluster.
    OfCluster,
    /// The previous container's log, or the running one's again.
    Previous,
    /// The tree of an application.
    Tree,
    /// The revisions of an application.
    Revisions,
    /// What differs: of a revision from another, of what was applied from what is there now.
    Diff,
    /// Mark the thing under the cursor, for what takes two.
    Mark,
    /// To the next change.
    NextChange,
    /// To the change before.
    PreviousChange,
    /// Show or hide what did not change.
    Unchanged,
    /// Show or hide what was left out of a comparison.
    Ignored,
    /// Show both sides of a comparison beside each other, or as one.
    Beside,
    /// Compare a revision with the application's spec as it is now.
    Live,
    /// Why the thing under the cursor stands as it does.
    Why,
    /// What is wrong.
    Problems,
    /// To the next thing that is not well.
    NextBad,
    /// Hide what hangs from a line; where nothing does, up to what it hangs from.
    Fold,
    /// Show what hangs from a line.
    Unfold,
    /// Show the same of several clusters as one line, or each cluster by itself again.
    Merge,
    /// Show a column for each cluster, or the tree again.
    SideBySide,
    /// The YAML of the object under the cursor.
    Yaml,
    /// What is to be said of the object under the cursor.
    Description,
    /// Edit the object under the cursor.
    Edit,
    /// A shell in the pod under the cursor.
    Shell,
    /// Show the fields that servers manage, or hide them.
    ManagedFields,
    /// To the next place that holds what is searched for.
    SearchNext,
    /// To the one before.
    SearchPrevious,
    /// Fetch a Secret's content, or show the entry under the cursor.
    Reveal,
    /// Save what is shown to a file.
    Save,
    /// Open what is shown in the pager.
    Pager,
    /// Open a copy of what is shown in the editor.
    Editor,
    /// The events of the thing under the cursor.
    Events,
    /// Everything that can be done to the thing under the cursor.
    Menu,
    /// Delete the object under the cursor.
    Delete,
}

/// A key with its modifiers, as the table names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The key.
    pub code: KeyCode,
    /// Modifiers; shift only where the key is no character.
    pub modifiers: KeyModifiers,
}

impl Key {
    /// A key without modifiers.
    pub const fn plain(code: KeyCode) -> Self {
        Self { code, modifiers: KeyModifiers::NONE }
    }

    /// A character.
    pub const fn char(char: char) -> Self {
        Self::plain(KeyCode::Char(char))
    }

    /// A character with control held.
    pub const fn ctrl(char: char) -> Self {
        Self { code: KeyCode::Char(char), modifiers: KeyModifiers::CONTROL }
    }

    /// A key that is no character, with shift held.
    pub const fn shift(code: KeyCode) -> Self {
        Self { code, modifiers: KeyModifiers::SHIFT }
    }

    /// The key of an event. Terminals differ in whether they tell of shift with a character: it is left out, the
    /// character says it.
    pub fn of(event: &KeyEvent) -> Self {
        let mut modifiers = event.modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT);
        let mut code = event.code;
        if let KeyCode::Char(char) = code {
            modifiers -= KeyModifiers::SHIFT;
            if modifiers.contains(KeyModifiers::CONTROL) {
                code = KeyCode::Char(char.to_ascii_lowercase());
            }
        }
        match code {
            KeyCode::BackTab => modifiers -= KeyModifiers::SHIFT,
            // Two presses close together read like one with alt.
            KeyCode::Esc => modifiers = KeyModifiers::NONE,
            _ => {}
        }
        Self { code, modifiers }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.modifiers.contains(KeyModifiers::CONTROL) {
            f.write_str("ctrl-")?;
        }
        if self.modifiers.contains(KeyModifiers::ALT) {
            f.write_str("alt-")?;
        }
        if self.modifiers.contains(KeyModifiers::SHIFT) {
            f.write_str("shift-")?;
        }
        match self.code {
            KeyCode::Char(' ') => f.write_str("space"),
            KeyCode::Char(char) => write!(f, "{char}"),
            KeyCode::Enter => f.write_str("enter"),
            KeyCode::Esc => f.write_str("esc"),
            KeyCode::Tab => f.write_str("tab"),
            KeyCode::BackTab => f.write_str("shift-tab"),
            KeyCode::Up => f.write_str("up"),
            KeyCode::Down => f.write_str("down"),
            KeyCode::Left => f.write_str("left"),
            KeyCode::Right => f.write_str("right"),
            KeyCode::PageUp => f.write_str("PgUp"),
            KeyCode::PageDown => f.write_str("PgDn"),
            KeyCode::Home => f.write_str("home"),
            KeyCode::End => f.write_str("end"),
            KeyCode::Delete => f.write_str("delete"),
            KeyCode::Backspace => f.write_str("backspace"),
            other => write!(f, "{other:?}"),
        }
    }
}

/// Where a key works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum View {
    /// Everywhere.
    Global,
    /// Every list of rows.
    Table,
    /// The applications.
    Applications,
    /// One application.
    Application,
    /// What waits for approval.
    Approvals,
    /// The joined clusters.
    Clusters,
    /// The pods.
    Pods,
    /// A log.
    Logs,
    /// The sources of a log.
    LogSources,
    /// One line of a log.
    LogLine,
    /// The open forwards.
    Forwards,
    /// The tree of an application.
    Tree,
    /// The same with a column for each cluster.
    SideBySide,
    /// An object's YAML.
    Yaml,
    /// What is to be said of an object.
    Description,
    /// Events.
    Events,
    /// The revisions of an application.
    Revisions,
    /// What differs.
    Diff,
    /// Why something stands as it does.
    Why,
    /// What is wrong.
    Problems,
}

impl View {
    /// Its name, for the help.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Global => "everywhere",
            Self::Table => "lists",
            Self::Applications => "applications",
            Self::Application => "application",
            Self::Approvals => "approvals",
            Self::Clusters => "clusters",
            Self::Pods => "pods",
            Self::Logs => "logs",
            Self::LogSources => "sources of a log",
            Self::LogLine => "a line of a log",
            Self::Forwards => "forwards",
            Self::Tree => "tree",
            Self::SideBySide => "side by side",
            Self::Yaml => "yaml",
            Self::Description => "describe",
            Self::Events => "events",
            Self::Revisions => "revisions",
            Self::Diff => "diff",
            Self::Why => "why",
            Self::Problems => "problems",
        }
    }

    /// The tables that are looked into for a key pressed in this view, the view's own first.
    fn chain(self) -> &'static [Self] {
        match self {
            Self::Global => &[Self::Global],
            Self::Table => &[Self::Table, Self::Global],
            Self::Applications => &[Self::Applications, Self::Table, Self::Global],
            Self::Application => &[Self::Application, Self::Global],
            Self::Approvals => &[Self::Approvals, Self::Table, Self::Global],
            Self::Clusters => &[Self::Clusters, Self::Table, Self::Global],
            Self::Pods => &[Self::Pods, Self::Table, Self::Global],
            Self::Logs => &[Self::Logs, Self::Global],
            Self::LogSources => &[Self::LogSources, Self::Global],
            Self::LogLine => &[Self::LogLine, Self::Global],
            Self::Forwards => &[Self::Forwards, Self::Table, Self::Global],
            Self::Tree => &[Self::Tree, Self::Global],
            Self::SideBySide => &[Self::SideBySide, Self::Tree, Self::Global],
            Self::Yaml => &[Self::Yaml, Self::Global],
            Self::Description => &[Self::Description, Self::Global],
            Self::Events => &[Self::Events, Self::Table, Self::Global],
            Self::Revisions => &[Self::Revisions, Self::Table, Self::Global],
            Self::Diff => &[Self::Diff, Self::Global],
            Self::Why => &[Self::Why, Self::Global],
            Self::Problems => &[Self::Problems, Self::Table, Self::Global],
        }
    }
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Binding {
    /// Where it works.
    pub view: View,
    /// The keys; the first is the one that hints show.
    pub keys: Vec<Key>,
    /// What they do.
    pub action: Action,
    /// The word of the footer; empty: not shown there.
    pub hint: &'static str,
    /// The sentence of the help; empty: told together with the line above.
    pub help: &'static str,
}

impl Binding {
    /// Whether it changes something in a cluster, and is barred by `--readonly`.
    pub fn writes(&self) -> bool {
        matches!(self.action, Action::Edit | Action::Shell | Action::Approve | Action::Delete)
    }
}

/// The keys in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Keymap {
    bindings: Vec<Binding>,
}

impl Default for Keymap {
    fn default() -> Self {
        Self { bindings: defaults() }
    }
}

impl Keymap {
    /// What a key does in a view: the view's own table shadows that of lists, and that the global one.
    pub fn action(&self, view: View, key: Key) -> Option<Action> {
        view.chain().iter().find_map(|table| {
            self.bindings.iter().find(|line| line.view == *table && line.keys.contains(&key)).map(|line| line.action)
        })
    }

    /// The lines that a view's help shows, the view's own first.
    pub fn help(&self, view: View) -> impl Iterator<Item = &Binding> {
        view.chain()
            .iter()
            .flat_map(|table| self.bindings.iter().filter(move |line| line.view == *table && !line.help.is_empty()))
    }

    /// The keys of a line that a table nearer to the view takes for something else.
    pub fn shadowed(&self, view: View, line: &Binding) -> Vec<Key> {
        let nearest = |key: &Key| {
            let holds =
                |table: &&View| self.bindings.iter().any(|line| line.view == **table && line.keys.contains(key));
            view.chain().iter().find(holds).copied()
        };
        line.keys.iter().copied().filter(|key| nearest(key) != Some(line.view)).collect()
    }

    /// The lines that a view's footer shows, in order.
    pub fn hints(&self, view: View) -> impl Iterator<Item = &Binding> {
        view.chain()
            .iter()
            .flat_map(|table| self.bindings.iter().filter(move |line| line.view == *table && !line.hint.is_empty()))
    }

    /// The key shown for an action in a view.
    pub fn key_of(&self, view: View, action: Action) -> Option<Key> {
        view.chain().iter().find_map(|table| {
            self.bindings
                .iter()
                .find(|line| line.view == *table && line.action == action)
                .and_then(|line| line.keys.first().copied())
        })
    }
}

fn line(view: View, keys: &[Key], action: Action, hint: &'static str, help: &'static str) -> Binding {
    Binding { view, keys: keys.to_vec(), action, hint, help }
}

fn defaults() -> Vec<Binding> {
    use Action as A;
    use KeyCode as C;
    use View as V;
    let mut table = vec![
        line(V::Applications, &[Key::plain(C::Enter)], A::Enter, "", "open the application"),
        line(V::Applications, &[Key::char('a')], A::Approve, "approve", "approve the step that waits"),
        line(V::Applications, &[Key::char('l')], A::Logs, "logs", "logs of its pods"),
        line(V::Applications, &[Key::char(' ')], A::Mark, "", "mark it, or not: l follows all that are marked"),
        line(
            V::Applications,
            &[Key::char('F')],
            A::Forward,
            "forward",
            "forward a port to one of its services or pods",
        ),
        line(V::Applications, &[Key::char('t')], A::Tree, "tree", "the tree of everything it made"),
        line(V::Applications, &[Key::char('v')], A::Revisions, "", "its revisions"),
        line(V::Application, &[Key::char('a')], A::Approve, "approve", "approve the step that waits"),
        line(
            V::Application,
            &[Key::char('l')],
            A::Logs,
            "logs",
            "log of the pod, the component, the step, or of all of the application",
        ),
        line(V::Application, &[Key::char('F')], A::Forward, "forward", "forward a port to one of its services or pods"),
        line(V::Application, &[Key::char('t')], A::Tree, "tree", "the tree of everything it made"),
        line(V::Application, &[Key::char('v')], A::Revisions, "", "its revisions"),
        line(V::Application, &[Key::char('D')], A::Diff, "", "what was applied against what is there now"),
        line(V::Application, &[Key::char('w')], A::Why, "why", "why it stands as it does, down to the cause"),
        line(V::Application, &[Key::plain(C::Enter)], A::Enter, "", "fold or unfold; of a pod: its log"),
        line(
            V::Application,
            &[Key::plain(C::Tab)],
            A::NextPanel,
            "panel",
            "to what is known of the selected thing, and back",
        ),
        line(V::Application, &[Key::ctrl('x')], A::OnlyNotOk, "", "only what is not ok"),
        line(V::Approvals, &[Key::char('a')], A::Approve, "approve", "approve the step under the cursor"),
        line(V::Approvals, &[Key::plain(C::Enter)], A::Enter, "", "open the application at that step"),
        line(V::Approvals, &[Key::char('l')], A::Logs, "logs", "logs of the application's pods"),
        line(V::Approvals, &[Key::char('F')], A::Forward, "forward", "forward a port to one of its services or pods"),
        line(V::Clusters, &[Key::plain(C::Enter)], A::Enter, "pods", "the pods of that cluster"),
        line(V::Pods, &[Key::plain(C::Enter), Key::char('l')], A::Logs, "logs", "its log"),
        line(V::Pods, &[Key::char(' ')], A::Mark, "", "mark it, or not: l follows all that are marked"),
        line(V::Pods, &[Key::char('F')], A::Forward, "forward", "forward a port to it"),
        line(V::Logs, &[Key::char(' ')], A::Pause, "pause", "hold the picture, or follow; lines go on being kept"),
        line(
            V::Logs,
            &[Key::char('G'), Key::plain(C::End), Key::char('f')],
            A::Bottom,
            "follow",
            "to the end, and follow",
        ),
        line(
            V::Logs,
            &[Key::char('/')],
            A::Filter,
            "filter",
            "regex, !not, *mark, .field=value, .field .field to pick; & between them",
        ),
        line(V::Logs, &[Key::char('n')], A::SearchNext, "next", "to the next line that matches"),
        line(V::Logs, &[Key::char('N')], A::SearchPrevious, "", "to the one before"),
        line(V::Logs, &[Key::plain(C::Tab)], A::NextPanel, "streams", "the sources: how they stand, which are shown"),
        line(V::Logs, &[Key::char('w')], A::Wrap, "wrap", "wrap long lines, or cut them"),
        line(V::Logs, &[Key::char('t')], A::TimeStyle, "time", "times: of day, full, as ages, none"),
        line(V::Logs, &[Key::char('s')], A::SourceStyle, "sources", "sources: short, full, none"),
        line(
            V::Logs,
            &[Key::char('0')],
            A::Since(0),
            "since",
            "0 the last 1,000 lines, 1 from the head, 2 to 6: 1m 5m 15m 30m 1h",
        ),
        line(V::Logs, &[Key::char('@')], A::GoToTime, "", "go to a time: 10:41, or 5m ago"),
        line(V::Logs, &[Key::char('C')], A::Context, "", "2, 5, 20 lines around each that matches, or none"),
        line(V::Logs, &[Key::plain(C::Enter)], A::Enter, "", "open the line whole, its fields a line each"),
        line(V::Logs, &[Key::char('m')], A::Mark, "", "mark the line, or take the mark away"),
        line(V::Logs, &[Key::char('M')], A::NextMark, "", "to the next marked line"),
        line(V::Logs, &[Key::char('c')], A::Copy, "", "copy the marked lines, else the line"),
        line(V::Logs, &[Key::char('S')], A::Save, "save", "save what is shown to a file here"),
        line(V::Logs, &[Key::ctrl('s')], A::SaveAll, "", "save everything that is kept to a file here"),
        line(V::Logs, &[Key::char('J')], A::Export, "", "save what is shown as JSON, a line each"),
        line(V::Logs, &[Key::char('P')], A::Pager, "", "look at what is shown in $PAGER"),
        line(V::Logs, &[Key::plain(C::Left)], A::PanLeft, "", "to the left"),
        line(V::Logs, &[Key::plain(C::Right)], A::PanRight, "", "to the right"),
        line(
            V::Logs,
            &[Key::char('o')],
            A::Container,
            "containers",
            "choose other containers, or one cluster: init, sidecar, ephemeral, all",
        ),
        line(
            V::Logs,
            &[Key::char('p')],
            A::Previous,
            "previous",
            "the logs of the containers before their last restart",
        ),
        line(V::LogSources, &[Key::char(' ')], A::Mark, "show or hide", "show or hide its lines"),
        line(V::LogSources, &[Key::char('s')], A::Solo, "only this", "show its lines alone, or all again"),
        line(V::LogSources, &[Key::char('c')], A::OfCluster, "cluster", "show or hide all of its cluster"),
        line(V::LogSources, &[Key::char('a')], A::AllSources, "all", "show all of them"),
        line(V::LogSources, &[Key::plain(C::Tab), Key::plain(C::Enter)], A::NextPanel, "back", "back to the lines"),
        line(V::LogLine, &[Key::char('c')], A::Copy, "copy", "copy it"),
        line(V::LogLine, &[Key::plain(C::Enter)], A::Enter, "close", "back to the lines"),
        line(V::Forwards, &[Key::char('x'), Key::plain(C::Delete)], A::Stop, "stop", "stop the forward"),
        line(V::Forwards, &[Key::char('c')], A::Copy, "copy URL", "copy its URL"),
        line(V::Tree, &[Key::char('n')], A::NextBad, "next bad", "to the next thing that is not ok"),
        line(V::Tree, &[Key::char('m')], A::Merge, "", "the same of all clusters as one line, or by cluster again"),
        line(V::Tree, &[Key::char('b')], A::SideBySide, "beside", "the clusters side by side, or the tree again"),
        line(
            V::SideBySide,
            &[Key::char('u')],
            A::Unchanged,
            "only different",
            "hide or show what is the same everywhere",
        ),
        line(V::SideBySide, &[Key::plain(C::Left)], A::PanLeft, "", "to the cluster on the left"),
        line(V::SideBySide, &[Key::plain(C::Right)], A::PanRight, "", "to the cluster on the right"),
        line(V::SideBySide, &[Key::plain(C::Enter)], A::Enter, "", "of a pod: its log; else to it in the tree"),
        line(V::SideBySide, &[Key::char('b')], A::SideBySide, "tree", "the tree by cluster again"),
        line(V::Tree, &[Key::char('l')], A::Logs, "logs", "logs of the pod, or of all below"),
        line(V::Tree, &[Key::char(' ')], A::Mark, "", "mark the line, or not: l follows all that is marked"),
        line(V::Tree, &[Key::char('F')], A::Forward, "forward", "forward a port to one of its services or pods"),
        line(V::Tree, &[Key::char('a')], A::Approve, "approve", "approve the step that waits"),
        line(V::Tree, &[Key::char('v')], A::Revisions, "", "the application's revisions"),
        line(V::Tree, &[Key::char('D')], A::Diff, "", "what was applied against what is there now"),
        line(V::Tree, &[Key::plain(C::Enter)], A::Enter, "", "fold or unfold; a pod: its log; a leaf: describe it"),
        line(V::Tree, &[Key::plain(C::Left)], A::Fold, "", "fold, or up to what it hangs from"),
        line(V::Tree, &[Key::plain(C::Right)], A::Unfold, "", "unfold"),
        line(V::Tree, &[Key::ctrl('x')], A::OnlyNotOk, "", "only what is not ok"),
        line(
            V::Yaml,
            &[Key::char('m')],
            A::ManagedFields,
            "managed",
            "show the fields that servers manage, or hide them",
        ),
        line(V::Yaml, &[Key::char('/')], A::Filter, "search", "search: text, or re:regex"),
        line(V::Yaml, &[Key::char('n')], A::SearchNext, "", "to the next that is found"),
        line(V::Yaml, &[Key::char('N')], A::SearchPrevious, "", "to the one before"),
        line(V::Yaml, &[Key::char('d')], A::Description, "describe", "what is to be said of it"),
        line(V::Yaml, &[Key::char('e')], A::Edit, "edit", "edit it in $EDITOR; nothing is written before you confirm"),
        line(
            V::Yaml,
            &[Key::char('r')],
            A::Reveal,
            "",
            "a Secret: fetch its content (asks first), then show the entry under the cursor",
        ),
        line(V::Yaml, &[Key::char('S')], A::Save, "", "save it as it is shown to a file here"),
        line(V::Yaml, &[Key::char('P')], A::Pager, "", "look at a copy of it in $PAGER"),
        line(V::Yaml, &[Key::char('E')], A::Editor, "", "look at a copy of it in $EDITOR"),
        line(V::Yaml, &[Key::char('c')], A::Copy, "copy", "copy it as it is shown"),
        line(V::Yaml, &[Key::plain(C::Left)], A::PanLeft, "", "to the left"),
        line(V::Yaml, &[Key::plain(C::Right)], A::PanRight, "", "to the right"),
        line(V::Description, &[Key::char('y')], A::Yaml, "yaml", "its YAML"),
        line(V::Description, &[Key::char('/')], A::Filter, "search", "search: text, or re:regex"),
        line(V::Description, &[Key::char('n')], A::SearchNext, "", "to the next that is found"),
        line(V::Description, &[Key::char('N')], A::SearchPrevious, "", "to the one before"),
        line(V::Description, &[Key::char('S')], A::Save, "", "save it as it is shown to a file here"),
        line(V::Description, &[Key::char('P')], A::Pager, "", "look at a copy of it in $PAGER"),
        line(V::Description, &[Key::char('E')], A::Editor, "", "look at a copy of it in $EDITOR"),
        line(V::Description, &[Key::char('c')], A::Copy, "copy", "copy it as it is shown"),
        line(V::Description, &[Key::plain(C::Left)], A::PanLeft, "", "to the left"),
        line(V::Description, &[Key::plain(C::Right)], A::PanRight, "", "to the right"),
        line(V::Events, &[Key::plain(C::Enter)], A::Enter, "", "what the event is about"),
        line(V::Events, &[Key::ctrl('x')], A::OnlyNotOk, "warnings", "only warnings"),
        line(V::Events, &[Key::char('l')], A::Logs, "logs", "log of the pod it is about"),
        line(V::Revisions, &[Key::plain(C::Enter)], A::Enter, "show", "show it as it is"),
        line(V::Revisions, &[Key::char(' ')], A::Mark, "mark", "mark it: D compares the marked one with another"),
        line(
            V::Revisions,
            &[Key::char('D')],
            A::Diff,
            "diff",
            "what differs from the marked one, or from the one before",
        ),
        line(V::Revisions, &[Key::char('L')], A::Live, "live", "what differs from it in the application's spec now"),
        line(V::Diff, &[Key::char('n')], A::NextChange, "next change", "to the next change"),
        line(V::Diff, &[Key::char('N')], A::PreviousChange, "", "to the change before"),
        line(V::Diff, &[Key::plain(C::Enter)], A::Enter, "fold", "fold or unfold a section, or what is unchanged"),
        line(V::Diff, &[Key::char('u')], A::Unchanged, "unchanged", "show or hide what did not change"),
        line(V::Diff, &[Key::char('i')], A::Ignored, "ignored", "show or hide what was left out of the comparison"),
        line(V::Diff, &[Key::char('b')], A::Beside, "beside", "both sides beside each other, or as one"),
        line(
            V::Diff,
            &[Key::char('r')],
            A::Reveal,
            "",
            "fetch and compare the content of Secrets too; keys and sizes are shown, values never are",
        ),
        line(V::Diff, &[Key::char('c')], A::Copy, "copy", "copy the section, as a unified diff"),
        line(V::Diff, &[Key::plain(C::Left)], A::PanLeft, "", "to the left"),
        line(V::Diff, &[Key::plain(C::Right)], A::PanRight, "", "to the right"),
        line(V::Tree, &[Key::char('w')], A::Why, "why", "why it stands as it does, down to the cause"),
        line(V::Why, &[Key::plain(C::Enter)], A::Enter, "go there", "to what the line speaks of"),
        line(V::Why, &[Key::char('c')], A::Copy, "copy", "copy the command that helps, else the line"),
        line(V::Why, &[Key::char('l')], A::Logs, "logs", "log of the pod, or of one of the application's"),
        line(V::Why, &[Key::char('t')], A::Tree, "tree", "the tree of everything it made"),
        line(V::Why, &[Key::char('a')], A::Approve, "approve", "approve the step that waits"),
        line(V::Problems, &[Key::plain(C::Enter)], A::Enter, "", "why: down to the cause"),
        line(V::Problems, &[Key::char('l')], A::Logs, "logs", "log of one of the pods"),
        line(V::Problems, &[Key::char('t')], A::Tree, "tree", "the tree of everything that the application made"),
        line(V::Applications, &[Key::char('w')], A::Why, "why", "why it stands as it does, down to the cause"),
        line(V::Approvals, &[Key::char('w')], A::Why, "why", "why it stands as it does, down to the cause"),
        line(V::Clusters, &[Key::char('w')], A::Why, "why", "why it stands as it does, down to the cause"),
        line(V::Pods, &[Key::char('w')], A::Why, "why", "why it stands as it does, down to the cause"),
        line(V::Events, &[Key::char('w')], A::Why, "why", "why it stands as it does, down to the cause"),
        line(V::Table, &[Key::ctrl('x')], A::OnlyNotOk, "", "only what is not ok"),
        line(V::Table, &[Key::shift(C::Left)], A::SortLeft, "", "sort by the column to the left"),
        line(V::Table, &[Key::shift(C::Right)], A::SortRight, "", "sort by the column to the right"),
        line(V::Table, &[Key::char('O')], A::SortTurn, "", "turn the sort order"),
        line(V::Global, &[Key::char('y')], A::Yaml, "", "the YAML of the object under the cursor"),
        line(V::Global, &[Key::char('d')], A::Description, "", "describe the object under the cursor"),
        line(V::Global, &[Key::char('e')], A::Edit, "", "edit the object under the cursor in $EDITOR"),
        line(V::Global, &[Key::char('s')], A::Shell, "", "a shell in the pod under the cursor"),
        line(V::Global, &[Key::char('f')], A::Forwards, "", "the open forwards"),
        line(V::Global, &[Key::plain(C::Tab)], A::NextPanel, "", "next panel"),
        line(V::Global, &[Key::plain(C::BackTab)], A::PreviousPanel, "", "previous panel"),
        line(V::Global, &[Key::char('/')], A::Filter, "filter", "filter: text, !not, re:regex, ~fuzzy, column:text"),
        line(V::Global, &[Key::char(':')], A::Command, "command", "command; tab completes, up and down are history"),
        line(V::Global, &[Key::char('A')], A::Approvals, "approvals", "what waits for approval"),
        line(V::Global, &[Key::char('x')], A::Menu, "actions", "everything that can be done to it: restart, scale, …"),
        line(V::Global, &[Key::plain(C::Delete)], A::Delete, "", "delete it; asks before"),
        line(V::Global, &[Key::char('E')], A::Events, "", "the events of the thing under the cursor"),
        line(V::Global, &[Key::char('w')], A::Why, "", "why the thing under the cursor stands as it does"),
        line(V::Global, &[Key::char('!')], A::Problems, "", "what is wrong, in every cluster"),
        line(V::Global, &[Key::char('?')], A::Help, "help", "the keys that work here"),
        line(V::Global, &[Key::plain(C::Esc)], A::Back, "", "back, with the cursor where it was"),
        line(V::Global, &[Key::char('j'), Key::plain(C::Down)], A::Down, "", "down"),
        line(V::Global, &[Key::char('k'), Key::plain(C::Up)], A::Up, "", "up"),
        line(V::Global, &[Key::char('g'), Key::plain(C::Home)], A::Top, "", "to the first"),
        line(V::Global, &[Key::char('G'), Key::plain(C::End)], A::Bottom, "", "to the last"),
        line(V::Global, &[Key::plain(C::PageDown), Key::ctrl('f')], A::PageDown, "", "a screen down"),
        line(V::Global, &[Key::plain(C::PageUp)], A::PageUp, "", "a screen up"),
        line(V::Global, &[Key::char('[')], A::HistoryBack, "", "back in the history of views"),
        line(V::Global, &[Key::char(']')], A::HistoryForward, "", "forward in the history of views"),
        line(V::Global, &[Key::char('-')], A::LastView, "", "the view before this one, and back"),
        line(V::Global, &[Key::char('0')], A::Namespace(0), "", "all namespaces; 1 to 9: those most used"),
        line(V::Global, &[Key::char('c')], A::Copy, "", "copy the name"),
        line(V::Global, &[Key::char('T')], A::AbsoluteTimes, "", "absolute or relative times"),
        line(V::Global, &[Key::ctrl('r')], A::Resync, "", "list everything again"),
        line(V::Global, &[Key::ctrl('z')], A::Suspend, "", "to the shell; fg returns"),
        line(V::Global, &[Key::char('q')], A::Quit, "", "back; at home leave"),
        line(V::Global, &[Key::ctrl('c')], A::QuitNow, "", "leave"),
    ];
    for digit in 1..=6_u8 {
        table.push(line(V::Logs, &[Key::char(char::from(b'0' + digit))], A::Since(digit), "", ""));
    }
    for digit in 1..=9_u8 {
        table.push(line(V::Global, &[Key::char(char::from(b'0' + digit))], A::Namespace(digit), "", ""));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    /// tmux, screen and readline use these, or a slip on them costs dearly in other programs.
    #[test]
    fn nothing_sits_on_the_keys_of_multiplexers_and_no_single_key_destroys() {
        for line in defaults() {
            for barred in ['d', 'k', 'a', 'b'] {
                assert!(!line.keys.contains(&Key::ctrl(barred)), "{line:?}");
            }
        }
    }

    #[test]
    fn within_one_table_a_key_means_one_thing() {
        let lines = defaults();
        for (at, line) in lines.iter().enumerate() {
            for other in lines.iter().skip(at + 1).filter(|other| other.view == line.view) {
                assert!(!line.keys.iter().any(|key| other.keys.contains(key)), "{line:?} and {other:?}");
            }
        }
    }

    #[test]
    fn a_views_own_key_shadows_and_help_says_so() {
        let keymap = Keymap::default();
        let copy = keymap.help(View::Forwards).find(|line| line.view == View::Global && line.action == Action::Copy);
        assert!(copy.is_some());
        assert_eq!(keymap.action(View::Logs, Key::char('G')), Some(Action::Bottom));
        assert_eq!(keymap.action(View::Pods, Key::plain(KeyCode::Enter)), Some(Action::Logs));
        assert_eq!(keymap.action(View::Applications, Key::char('3')), Some(Action::Namespace(3)));
    }

    #[test]
    fn shift_is_told_by_the_character() {
        let event = KeyEvent::new(KeyCode::Char('F'), KeyModifiers::SHIFT);
        assert_eq!(Key::of(&event), Key::char('F'));
        assert_eq!(Key::of(&KeyEvent::new(KeyCode::BackTab, KeyModifiers::SHIFT)), Key::plain(KeyCode::BackTab));
    }
}
