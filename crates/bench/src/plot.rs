//! A picture of what was measured over time, as SVG: how much got done above, how many attempts might run below.

use std::fmt::Write;
use std::path::Path;

use crate::Fault;
use crate::figure::Figure;
use crate::measurement::Moment;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 200.0;
const MARGIN: f64 = 56.0;
/// Room between the panels.
const GAP: f64 = 48.0;

/// The fixed numbers' colours, in turn, and that of what the engine finds out.
const FIXED: [&str; 4] = ["#7f8c8d", "#2980b9", "#27ae60", "#8e44ad"];
const FOUND: &str = "#c0392b";

/// One line: its name, its colour, its points.
struct Line<'a> {
    name: &'a str,
    colour: &'static str,
    points: Vec<(f64, f64)>,
}

/// Draws every figure that has a course; the last one stands out.
pub(crate) fn write(path: &Path, figures: &[Figure]) -> Result<(), Fault> {
    let drawn: Vec<&Figure> = figures.iter().filter(|figure| !figure.course.is_empty()).collect();
    if drawn.is_empty() {
        return Err("nothing of this has a course over time to be drawn".into());
    }
    let goodput = lines(&drawn, |moment| moment.jobs_per_s);
    let slots = lines(&drawn, |moment| moment.slots as f64);
    let mut svg = String::new();
    let (width, height) = (WIDTH + 2.0 * MARGIN + 48.0, 2.0 * HEIGHT + 2.0 * MARGIN + GAP);
    writeln!(
        svg,
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="12">"#
    )?;
    writeln!(svg, r#"<rect width="100%" height="100%" fill="white"/>"#)?;
    panel(&mut svg, MARGIN, "answered in time, per second", &goodput, false)?;
    panel(&mut svg, MARGIN + HEIGHT + GAP, "attempts that may run at the same time", &slots, true)?;
    writeln!(svg, "</svg>")?;
    Ok(std::fs::write(path, svg)?)
}

fn lines<'a>(figures: &[&'a Figure], of: impl Fn(&Moment) -> f64) -> Vec<Line<'a>> {
    let last = figures.len() - 1;
    let line = |(place, figure): (usize, &&'a Figure)| Line {
        name: figure.mode,
        colour: if place == last { FOUND } else { FIXED[place % FIXED.len()] },
        points: figure.course.iter().map(|moment| (moment.seconds, of(moment))).collect(),
    };
    figures.iter().enumerate().map(line).collect()
}

/// One panel. Lines are named where they end, in the second only: in the first they lie upon each other.
fn panel(svg: &mut String, top: f64, title: &str, lines: &[Line<'_>], named: bool) -> std::fmt::Result {
    let all = || lines.iter().flat_map(|line| &line.points);
    let most = |of: fn(&(f64, f64)) -> f64| all().map(of).fold(1.0, f64::max);
    let (right, highest) = (most(|point| point.0), most(|point| point.1) * 1.05);
    let x = |seconds: f64| MARGIN + seconds / right * WIDTH;
    let y = |value: f64| top + HEIGHT - value / highest * HEIGHT;
    writeln!(svg, r#"<text x="{MARGIN}" y="{:.0}" font-weight="bold">{title}</text>"#, top - 10.0)?;
    for value in ticks(highest) {
        let (left, level) = (MARGIN - 6.0, y(value));
        writeln!(svg, r##"<path d="M{MARGIN} {level:.1}h{WIDTH}" stroke="#e6e9ec"/>"##)?;
        writeln!(svg, r#"<text x="{left:.0}" y="{:.1}" text-anchor="end">{value:.0}</text>"#, level + 4.0)?;
    }
    for seconds in ticks(right) {
        let (place, below) = (x(seconds), top + HEIGHT + 16.0);
        writeln!(svg, r#"<text x="{place:.1}" y="{below:.0}" text-anchor="middle">{seconds:.0} s</text>"#)?;
    }
    for Line { name, colour, points } in lines {
        let path: Vec<String> = points.iter().map(|(at, value)| format!("{:.1},{:.1}", x(*at), y(*value))).collect();
        writeln!(svg, r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="1.5"/>"#, path.join(" "))?;
        if let Some((at, value)) = points.last().filter(|_| named) {
            writeln!(svg, r#"<text x="{:.0}" y="{:.1}" fill="{colour}">{name}</text>"#, x(*at) + 4.0, y(*value) + 4.0)?;
        }
    }
    Ok(())
}

/// Round numbers from zero up, five of them or a few more.
fn ticks(highest: f64) -> impl Iterator<Item = f64> {
    let power = 10_f64.powf((highest / 5.0).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|factor| factor * power).find(|step| highest / step <= 6.0);
    let step = step.unwrap_or(highest);
    (0..=(highest / step) as u32).map(move |number| f64::from(number) * step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(ticks(18.0).collect::<Vec<_>>(), [0.0, 5.0, 10.0, 15.0]);
        assert_eq!(ticks(1_650.0).collect::<Vec<_>>(), [0.0, 500.0, 1_000.0, 1_500.0]);
        assert_eq!(ticks(1.0).count(), 6);
    }

    #[test]
    fn a_panel_has_a_line_for_each_course() {
        let line = |name| Line { name, colour: FOUND, points: vec![(0.0, 1.0), (1.0, 2.0)] };
        let mut svg = String::new();
        panel(&mut svg, MARGIN, "title", &[line("fixed8"), line("adaptive")], true).expect("written");
        assert_eq!(svg.matches("<polyline").count(), 2);
        assert!(svg.contains(">adaptive</text>"));
    }
}
