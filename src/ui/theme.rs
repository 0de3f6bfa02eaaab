//! How things look: styles from a theme's TOML, marks one cell wide.

use std::{collections::BTreeMap, str::FromStr};

use ratatui::style::{Color, Modifier, Style};
use serde::Deserialize;

use crate::{
    app::{Look, table::Tone},
    model::health::Health,
};

const DEFAULT: &str = include_str!("../../themes/default.toml");
const MONO: &str = include_str!("../../themes/mono.toml");

/// Roles that a theme gives a style.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Plain text.
    Text,
    /// What recedes.
    Dim,
    /// What stands out.
    Strong,
    /// The accent.
    Accent,
    /// Titles.
    Title,
    /// Headings of columns.
    Heading,
    /// The cursor's row.
    Cursor,
    /// Keys in the footer.
    Key,
    /// Lines that separate.
    Border,
    /// What went well.
    Good,
    /// What did not.
    Bad,
    /// What is not permitted.
    Barred,
    /// A key in YAML.
    Field,
    /// A string in YAML.
    Quoted,
    /// A number or a word of its own in YAML.
    Number,
    /// A comment in YAML.
    Comment,
    /// What was searched for.
    Found,
}

/// A theme as its file has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    style: BTreeMap<Role, String>,
    health: BTreeMap<String, String>,
}

/// Styles and marks in force.
#[derive(Clone, Debug)]
pub struct Theme {
    /// Its name.
    pub name: String,
    /// Whether marks and frames are ASCII.
    pub ascii: bool,
    roles: BTreeMap<Role, Style>,
    health: [Style; Health::ALL.len()],
}

/// Names of the built-in themes.
pub const BUILT_IN: &[&str] = &["default", "mono"];

impl Theme {
    /// The theme that a look asks for; one that is not known is the default.
    pub fn new(look: &Look) -> Self {
        let source = if !look.color || look.theme == "mono" { MONO } else { DEFAULT };
        Self::parse(source, look.ascii).unwrap_or_else(|_| Self::plain(look.ascii))
    }

    /// Reads a theme. The error says which style cannot be read.
    pub fn parse(source: &str, ascii: bool) -> Result<Self, String> {
        let file: File = toml::from_str(source).map_err(|error| error.to_string())?;
        let mut roles = BTreeMap::new();
        for (role, text) in &file.style {
            roles.insert(*role, style(text).map_err(|error| format!("{role:?}: {error}"))?);
        }
        let mut health = [Style::new(); Health::ALL.len()];
        for (name, text) in &file.health {
            let class = Health::ALL.into_iter().find(|class| class.as_str() == name);
            let slot = class.and_then(|class| health.get_mut(class as usize));
            let slot = slot.ok_or_else(|| format!("no class of health is called \"{name}\""))?;
            *slot = style(text).map_err(|error| format!("{name}: {error}"))?;
        }
        Ok(Self { name: file.name, ascii, roles, health })
    }

    fn plain(ascii: bool) -> Self {
        let roles = BTreeMap::from([(Role::Cursor, Style::new().add_modifier(Modifier::REVERSED))]);
        Self { name: "plain".to_owned(), ascii, roles, health: [Style::new(); Health::ALL.len()] }
    }

    /// The style of a role.
    pub fn role(&self, role: Role) -> Style {
        self.roles.get(&role).copied().unwrap_or_default()
    }

    /// The style of a class of health.
    pub fn health(&self, health: Health) -> Style {
        self.health.get(health as usize).copied().unwrap_or_default()
    }

    /// The style of a tone.
    pub fn tone(&self, tone: Tone) -> Style {
        match tone {
            Tone::Plain => self.role(Role::Text),
            Tone::Dim => self.role(Role::Dim),
            Tone::Strong => self.role(Role::Strong),
            Tone::Accent => self.role(Role::Accent),
            Tone::Health(health) => self.health(health),
        }
    }

    /// The mark of a class: one cell in every terminal, none that can turn into an emoji.
    pub fn mark(&self, health: Health) -> &'static str {
        match (health, self.ascii) {
            (Health::Ok, false) => "✓",
            (Health::Ok, true) => "+",
            (Health::Failed, false) => "✗",
            (Health::Failed, true) => "x",
            (Health::Pending, false) => "◌",
            (Health::Pending, true) => ".",
            (Health::Progressing, _) => "~",
            (Health::Waiting, _) => "!",
            (Health::Unknown, _) => "?",
            (Health::Gone, _) => "-",
        }
    }
}

/// Reads a style: colours and modifiers, separated by spaces.
fn style(text: &str) -> Result<Style, String> {
    let mut style = Style::new();
    let mut words = text.split_whitespace();
    let mut background = false;
    while let Some(word) = words.next() {
        let modifier = match word {
            "on" => {
                background = true;
                continue;
            }
            "bold" => Modifier::BOLD,
            "dim" => Modifier::DIM,
            "italic" => Modifier::ITALIC,
            "underlined" => Modifier::UNDERLINED,
            "reversed" => Modifier::REVERSED,
            "crossed_out" => Modifier::CROSSED_OUT,
            _ => Modifier::empty(),
        };
        if !modifier.is_empty() {
            style = style.add_modifier(modifier);
            continue;
        }
        let name =
            if word == "bright" { format!("bright {}", words.next().unwrap_or_default()) } else { word.to_owned() };
        let color = Color::from_str(&name).map_err(|_| format!("\"{name}\" is no colour and no modifier"))?;
        style = if background { style.bg(color) } else { style.fg(color) };
        background = false;
    }
    Ok(style)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_theme_is_read_and_complete() {
        for source in [DEFAULT, MONO] {
            let theme = Theme::parse(source, false).unwrap();
            assert!(BUILT_IN.contains(&theme.name.as_str()));
            assert_eq!(theme.roles.len(), 17, "{}", theme.name);
        }
    }

    #[test]
    fn without_colour_there_is_none() {
        let theme = Theme::new(&Look { color: false, ..Look::default() });
        let styles = Health::ALL.map(|class| theme.health(class));
        assert!(styles.iter().chain(theme.roles.values()).all(|style| style.fg.is_none() && style.bg.is_none()));
    }

    #[test]
    fn marks_are_one_cell_and_distinct() {
        for ascii in [false, true] {
            let theme = Theme::new(&Look { ascii, ..Look::default() });
            let marks = Health::ALL.map(|class| theme.mark(class));
            assert!(marks.iter().all(|mark| crate::ui::text::width(mark) == 1 && (!ascii || mark.is_ascii())));
            assert_eq!(marks.iter().collect::<std::collections::BTreeSet<_>>().len(), marks.len());
        }
    }

    #[test]
    fn a_style_that_cannot_be_read_is_named() {
        assert_eq!(style("red bold"), Ok(Style::new().fg(Color::Red).add_modifier(Modifier::BOLD)));
        assert_eq!(style("on bright blue"), Ok(Style::new().bg(Color::LightBlue)));
        assert_eq!(style("redd"), Err("\"redd\" is no colour and no modifier".to_owned()));
    }
}
