//! Pictures of results as PNG, in the three sizes that Buildbot has.
//!
//! They are drawn from the shapes of the pages, so that none has to be kept as a file.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::LazyLock;

use bytes::Bytes;
use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};

use crate::model::Results;

/// A size of pictures.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Size {
    Small,
    Normal,
    Large,
}

impl Size {
    /// All sizes.
    const ALL: [Self; 3] = [Self::Small, Self::Normal, Self::Large];

    /// Pixels across and down, as those of Buildbot.
    const fn pixels(self) -> (u16, u16) {
        match self {
            Self::Small => (32, 14),
            Self::Normal => (84, 18),
            Self::Large => (120, 80),
        }
    }
}

/// The picture of a result; absent for `unknown`.
pub(super) fn png(result: Option<Results>, size: Size) -> Bytes {
    let number = result.map(Results::number);
    PICTURES.get(&(number, size)).cloned().unwrap_or_default()
}

/// Each result and `unknown`, in each size.
static PICTURES: LazyLock<BTreeMap<(Option<u8>, Size), Bytes>> = LazyLock::new(|| {
    let results = Results::ALL.into_iter().map(Some).chain([None]);
    let all = results.flat_map(|result| Size::ALL.map(|size| (result, size)));
    let drawn = all.map(|(result, size)| {
        let picture = Bytes::from(encoded(&drawn(result, size), size));
        ((result.map(Results::number), size), picture)
    });
    drawn.collect()
});

/// A line between two points of a square whose side is 1.
type Stroke = [(f32, f32); 2];

/// The colour of a result, and its shape.
const fn look(result: Option<Results>) -> ([u8; 3], &'static [Stroke]) {
    const CROSS: &[Stroke] = &[[(0.2, 0.2), (0.8, 0.8)], [(0.8, 0.2), (0.2, 0.8)]];
    const TICK: &[Stroke] = &[[(0.15, 0.55), (0.4, 0.8)], [(0.4, 0.8), (0.85, 0.25)]];
    const BANG: &[Stroke] = &[[(0.5, 0.15), (0.5, 0.6)], [(0.5, 0.82), (0.5, 0.84)]];
    const CHEVRONS: &[Stroke] = &[
        [(0.2, 0.2), (0.5, 0.5)],
        [(0.5, 0.5), (0.2, 0.8)],
        [(0.5, 0.2), (0.8, 0.5)],
        [(0.8, 0.5), (0.5, 0.8)],
    ];
    const DASH: &[Stroke] = &[[(0.2, 0.5), (0.8, 0.5)]];
    match result {
        Some(Results::Success) => ([0x1e, 0x7a, 0x45], TICK),
        Some(Results::Warnings) => ([0x9a, 0x5d, 0x00], BANG),
        Some(Results::Failure) => ([0xc2, 0x2a, 0x27], CROSS),
        Some(Results::Exception) => ([0x7f, 0x3f, 0xb0], BANG),
        Some(Results::Retry) => ([0x7f, 0x3f, 0xb0], CHEVRONS),
        Some(Results::Skipped) | None => ([0x5f, 0x66, 0x6d], DASH),
    }
}

/// The pixels, three bytes each, line by line.
fn drawn(result: Option<Results>, size: Size) -> Vec<u8> {
    let (colour, strokes) = look(result);
    let (across, down) = size.pixels();
    let side = f32::from(down) * 0.8;
    let left = (f32::from(across) - side) / 2.0;
    let top = f32::from(down) * 0.1;
    let thickness = (side / 12.0).max(0.9);
    let mut pixels = Vec::new();
    for y in 0..down {
        for x in 0..across {
            let at = (f32::from(x) + 0.5 - left, f32::from(y) + 0.5 - top);
            let distances = strokes.iter().map(|stroke| distance(at, stroke, side));
            let nearest = distances.fold(f32::MAX, f32::min);
            let white = (thickness + 0.5 - nearest).clamp(0.0, 1.0);
            for part in colour {
                let part = f32::from(part);
                let mixed = part + (255.0 - part) * white;
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "between 0 and 255"
                )]
                pixels.push(mixed.round() as u8);
            }
        }
    }
    pixels
}

/// How far a point is from a line, in pixels of a square with this side.
fn distance(at: (f32, f32), stroke: &Stroke, side: f32) -> f32 {
    let [(ax, ay), (bx, by)] = stroke.map(|(x, y)| (x * side, y * side));
    let (dx, dy) = (bx - ax, by - ay);
    let along = ((at.0 - ax) * dx + (at.1 - ay) * dy) / (dx * dx + dy * dy);
    let along = along.clamp(0.0, 1.0);
    (at.0 - ax - along * dx).hypot(at.1 - ay - along * dy)
}

/// The pixels as a file: true colour, 8 bits a part.
fn encoded(pixels: &[u8], size: Size) -> Vec<u8> {
    let (across, down) = size.pixels();
    let mut head = Vec::new();
    head.extend_from_slice(&u32::from(across).to_be_bytes());
    head.extend_from_slice(&u32::from(down).to_be_bytes());
    head.extend_from_slice(&[8, 2, 0, 0, 0]);
    let mut lines = ZlibEncoder::new(Vec::new(), Compression::best());
    for line in pixels.chunks(usize::from(across) * 3) {
        // Each line begins with the number of its filter: none.
        lines
            .write_all(&[0])
            .expect("writing to memory does not fail");
        lines
            .write_all(line)
            .expect("writing to memory does not fail");
    }
    let lines = lines.finish().expect("writing to memory does not fail");
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in [(b"IHDR", &head[..]), (b"IDAT", &lines), (b"IEND", &[])] {
        let length = u32::try_from(data.len()).expect("pictures are small");
        file.extend_from_slice(&length.to_be_bytes());
        file.extend_from_slice(kind);
        file.extend_from_slice(data);
        let mut sum = Crc::new();
        sum.update(kind);
        sum.update(data);
        file.extend_from_slice(&sum.sum().to_be_bytes());
    }
    file
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::io::Read as _;

    use flate2::read::ZlibDecoder;

    use super::*;

    #[test]
    fn a_picture_is_a_small_file_with_the_sizes_of_buildbot() {
        for (size, across, down) in [
            (Size::Small, 32, 14),
            (Size::Normal, 84, 18),
            (Size::Large, 120, 80),
        ] {
            let file = png(Some(Results::Failure), size);
            assert!(file.len() < 2_500, "{}", file.len());
            assert_eq!(&file[..16], b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR");
            assert_eq!(file[16..20], u32::to_be_bytes(across));
            assert_eq!(file[20..24], u32::to_be_bytes(down));
            assert_eq!(&file[file.len() - 12..], b"\0\0\0\0IEND\xaeB`\x82");
            let length = u32::from_be_bytes(file[33..37].try_into().unwrap());
            let data = &file[41..41 + usize::try_from(length).unwrap()];
            let mut lines = Vec::new();
            ZlibDecoder::new(data).read_to_end(&mut lines).unwrap();
            let expected = down * (3 * across + 1);
            assert_eq!(lines.len(), usize::try_from(expected).unwrap());
            // A corner has the colour of the result; the middle of the cross is white.
            assert_eq!(&lines[1..4], [0xc2, 0x2a, 0x27]);
            let line = usize::try_from(3 * across + 1).unwrap();
            let middle = usize::try_from(down / 2).unwrap() * line
                + 1
                + 3 * usize::try_from(across / 2).unwrap();
            assert!(lines[middle..middle + 3].iter().all(|part| *part > 200));
        }
    }

    #[test]
    fn each_result_has_a_picture_of_its_own() {
        let unknown = png(None, Size::Normal);
        let mut known = vec![unknown];
        for result in Results::ALL {
            let picture = png(Some(result), Size::Normal);
            let is_plain = result == Results::Skipped;
            assert_eq!(known.contains(&picture), is_plain, "{result}");
            known.push(picture);
        }
    }
}
