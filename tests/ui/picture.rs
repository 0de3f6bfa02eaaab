//! The picture of the README: the real screen, cell by cell, as SVG.
//!
//! `UPDATE_PICTURE=1 cargo test --test ui_suite picture` writes it anew.

use std::{env, fmt::Write as _, fs, path::Path};

use ratatui::{
    buffer::{Buffer, Cell},
    style::{Color, Modifier},
};

use crate::session::Session;

const FILE: &str = "assets/application.svg";
/// Columns and rows of the terminal.
const SIZE: (u16, u16) = (112, 17);
/// A cell, in pixels: what a monospace font of 14 px takes.
const CELL: (f64, f64) = (8.4, 18.0);
const MARGIN: f64 = 14.0;
const BACKGROUND: &str = "#16181d";
const TEXT: &str = "#d3d7de";

/// What a dark terminal makes of the colours that themes name.
fn colour(colour: Color, usual: &'static str) -> &'static str {
    match colour {
        Color::Reset => usual,
        Color::Black => "#2a2e37",
        Color::Red | Color::LightRed => "#f0716b",
        Color::Green | Color::LightGreen => "#86c66b",
        Color::Yellow | Color::LightYellow => "#e8bf5a",
        Color::Blue | Color::LightBlue => "#71a7f2",
        Color::Magenta | Color::LightMagenta => "#cf8ee0",
        Color::Cyan | Color::LightCyan => "#5cc3cf",
        Color::Gray => "#aab0bb",
        Color::DarkGray => "#6c7482",
        Color::White => "#f4f6f9",
        other => panic!("the picture has no colour for {other:?}"),
    }
}

/// How a cell is painted: text, ground, and what else shows.
#[derive(Clone, Copy, PartialEq)]
struct Paint {
    text: &'static str,
    ground: &'static str,
    bold: bool,
    dim: bool,
}

fn paint(cell: &Cell) -> Paint {
    let (mut text, mut ground) = (colour(cell.fg, TEXT), colour(cell.bg, BACKGROUND));
    if cell.modifier.contains(Modifier::REVERSED) {
        (text, ground) = (ground, text);
    }
    Paint { text, ground, bold: cell.modifier.contains(Modifier::BOLD), dim: cell.modifier.contains(Modifier::DIM) }
}

fn left(x: u16) -> f64 {
    MARGIN + f64::from(x) * CELL.0
}

fn top(y: u16) -> f64 {
    MARGIN + f64::from(y) * CELL.1
}

/// The arms of a line that is drawn with box characters: left, right, up, down.
fn arms(symbol: &str) -> Option<[bool; 4]> {
    Some(match symbol {
        "─" => [true, true, false, false],
        "│" => [false, false, true, true],
        "┌" | "╭" => [false, true, false, true],
        "┐" | "╮" => [true, false, false, true],
        "└" | "╰" => [false, true, true, false],
        "┘" | "╯" => [true, false, true, false],
        "├" => [false, true, true, true],
        "┤" => [true, false, true, true],
        "┬" => [true, true, false, true],
        "┴" => [true, true, true, false],
        "┼" => [true; 4],
        _ => return None,
    })
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A screen as SVG. Every word has its own place and width, so that no font moves what stands behind it.
fn svg(buffer: &Buffer) -> String {
    let (columns, rows) = (buffer.area.width, buffer.area.height);
    let (width, height) = (left(columns) + MARGIN, top(rows) + MARGIN);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         height=\"{height:.0}\" font-family=\"ui-monospace, 'SF Mono', Menlo, 'Cascadia Mono', 'DejaVu Sans Mono', \
         Consolas, monospace\" font-size=\"14\">\n\
         <title>lateen: an application that waits for approval</title>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{BACKGROUND}\"/>\n"
    );
    for y in 0..rows {
        ground(buffer, y, &mut out);
        let mut x = 0;
        while x < columns {
            x = word(buffer, x, y, &mut out);
        }
    }
    out.push_str("</svg>\n");
    out
}

/// What lies behind the text of a row.
fn ground(buffer: &Buffer, y: u16, out: &mut String) {
    let mut x = 0;
    while x < buffer.area.width {
        let fill = paint(&buffer[(x, y)]).ground;
        let end = (x..buffer.area.width).find(|&x| paint(&buffer[(x, y)]).ground != fill).unwrap_or(buffer.area.width);
        if fill != BACKGROUND {
            let (left, top, wide) = (left(x), top(y), f64::from(end - x) * CELL.0);
            let _ = writeln!(
                out,
                "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{wide:.1}\" height=\"{:.1}\" fill=\"{fill}\"/>",
                CELL.1
            );
        }
        x = end;
    }
}

/// Draws what begins at a cell, and gives the cell behind it.
fn word(buffer: &Buffer, x: u16, y: u16, out: &mut String) -> u16 {
    let cell = &buffer[(x, y)];
    let (symbol, paint_here) = (cell.symbol(), paint(cell));
    if symbol == " " {
        return x + 1;
    }
    let opacity = if paint_here.dim { " opacity=\"0.55\"" } else { "" };
    if let Some(arms) = arms(symbol) {
        let (middle, centre) = (left(x) + CELL.0 / 2.0, top(y) + CELL.1 / 2.0);
        let ends = [(left(x), centre), (left(x + 1), centre), (middle, top(y)), (middle, top(y + 1))];
        let mut path = String::new();
        for ((to_x, to_y), _) in ends.iter().zip(arms).filter(|(_, arm)| *arm) {
            let _ = write!(path, "M{middle:.1} {centre:.1}L{to_x:.1} {to_y:.1}");
        }
        let _ = writeln!(out, "<path d=\"{path}\" stroke=\"{}\"{opacity}/>", paint_here.text);
        return x + 1;
    }
    let baseline = top(y) + CELL.1 * 0.74;
    let weight = if paint_here.bold { " font-weight=\"bold\"" } else { "" };
    let fill = paint_here.text;
    if !symbol.is_ascii() {
        // Marks and arrows come from whatever font has them: each in the middle of its own cell.
        let middle = left(x) + CELL.0 / 2.0;
        let _ = writeln!(
            out,
            "<text x=\"{middle:.1}\" y=\"{baseline:.1}\" text-anchor=\"middle\" fill=\"{fill}\"{weight}{opacity}>{symbol}</text>"
        );
        return x + 1;
    }
    let goes_on = |x: u16| {
        let cell = &buffer[(x, y)];
        cell.symbol().is_ascii() && cell.symbol() != " " && paint(cell) == paint_here
    };
    let end = (x..buffer.area.width).find(|&x| !goes_on(x)).unwrap_or(buffer.area.width);
    let text: String = (x..end).map(|x| buffer[(x, y)].symbol()).collect();
    let (left, wide) = (left(x), f64::from(end - x) * CELL.0);
    let _ = writeln!(
        out,
        "<text x=\"{left:.1}\" y=\"{baseline:.1}\" textLength=\"{wide:.1}\" fill=\"{fill}\"{weight}{opacity}>{}</text>",
        escaped(&text)
    );
    end
}

#[test]
fn the_picture_of_the_readme_is_the_screen() {
    let mut session = Session::estate();
    session.screen(SIZE.0, SIZE.1);
    session.keys("jj<enter>");
    // The cursor rests on what waits.
    session.screen(SIZE.0, SIZE.1);
    let drawn = svg(&session.frame(SIZE.0, SIZE.1));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    if env::var_os("UPDATE_PICTURE").is_some_and(|value| !value.is_empty() && value != "0") {
        fs::write(&path, &drawn).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(drawn == kept, "{FILE} is not the screen any more: UPDATE_PICTURE=1 cargo test --test ui_suite picture");
}
