//! How do the vectors lie to each other that tokens and positions start with?

use super::neighbours::cosine;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::render::{Cell, Chart, Column, HeatMap, Scatter, Table, label};

/// Tokens on a plane: their embeddings' two first principal components.
#[derive(Clone, Debug)]
pub struct EmbeddingMap {
    /// Label and place of each.
    pub points: Vec<(String, [f64; 2])>,
    /// The shares of the variance that the two directions hold, 0 to 1.
    pub explained: [f64; 2],
    /// Those that have no embedding of their own.
    unknown: Vec<String>,
}

/// Fewer lie on a line.
const FEWEST: usize = 3;

impl EmbeddingMap {
    /// Fails on fewer than 3 tokens, and on an id outside the vocabulary.
    pub fn new(model: &Model, ids: &[u32]) -> Result<EmbeddingMap> {
        if ids.len() < FEWEST {
            let (value, bound) =
                (format!("a list of {}", ids.len()), format!("one of at least {FEWEST} tokens"));
            return Err(Error::OptionOutOfRange { name: "words", value, bound });
        }
        ids.iter().try_for_each(|id| model.check_prompt(&[*id]))?;
        let rows: Vec<_> = ids.iter().map(|id| model.gpt2().token_embedding(*id)).collect();
        let rows: Vec<&[f32]> = rows.iter().map(AsRef::as_ref).collect();
        let name = |id: &u32| label(&model.tokenizer().piece(*id));
        let is_unknown = |row: &&[f32]| row.iter().all(|x| *x == 0.0);
        let unknown =
            ids.iter().zip(&rows).filter(|(_, row)| is_unknown(row)).map(|(id, _)| name(id)).collect();
        let (places, explained) = principal_components(&rows);
        Ok(EmbeddingMap { points: ids.iter().map(name).zip(places).collect(), explained, unknown })
    }

    pub fn table(&self) -> Table {
        let columns = [Column::left("token"), Column::right("x"), Column::right("y")];
        let row = |(name, [x, y]): &(String, [f64; 2])| {
            [Cell::Text(name.clone()), Cell::Number(*x), Cell::Number(*y)]
        };
        Table::new(columns).rows(self.points.iter().map(row)).note(self.note())
    }

    fn note(&self) -> String {
        let [x, y] = self.explained.map(|share| 100.0 * share);
        let axes = format!("principal components: x holds {x:.0} % of the variance, y {y:.0} %");
        match self.unknown.is_empty() {
            true => axes,
            false => format!("{axes}; without an embedding of their own: {}", self.unknown.join(", ")),
        }
    }

    pub fn chart(&self) -> Chart {
        let axis =
            |name: &str, share: f64| format!("{name} component, {:.0} % of the variance", 100.0 * share);
        Scatter {
            title: format!("{} tokens, by their embeddings", self.points.len()),
            subtitle: (!self.unknown.is_empty())
                .then(|| format!("without an embedding of their own: {}", self.unknown.join(", "))),
            axes: [axis("first", self.explained[0]), axis("second", self.explained[1])],
            points: self.points.clone(),
        }
        .into()
    }
}

/// The places of rows along their two directions of largest variance, and the shares of the variance that these hold.
///
/// The rows are few and wide: the eigenvectors of their inner products say all (classical scaling; Torgerson 1952).
/// Of the two possible signs of a direction, that is taken in which the farthest place is positive.
fn principal_components(rows: &[&[f32]]) -> (Vec<[f64; 2]>, [f64; 2]) {
    let width = rows.first().map_or(0, |row| row.len());
    let mean: Vec<f64> = (0..width)
        .map(|column| rows.iter().map(|row| f64::from(row[column])).sum::<f64>() / rows.len() as f64)
        .collect();
    let centred: Vec<Vec<f64>> = rows
        .iter()
        .map(|row| row.iter().zip(&mean).map(|(x, mean)| f64::from(*x) - mean).collect())
        .collect();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let products: Vec<Vec<f64>> =
        centred.iter().map(|a| centred.iter().map(|b| dot(a, b)).collect()).collect();
    let total: f64 = (0..rows.len()).map(|i| products[i][i]).sum();
    let mut pairs = eigenvectors(products);
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    let component = |index: usize| -> (Vec<f64>, f64) {
        let (value, vector) = &pairs[index];
        let farthest =
            vector.iter().fold(0.0, |farthest: f64, x| if x.abs() > farthest.abs() { *x } else { farthest });
        let scale = value.max(0.0).sqrt() * if farthest < 0.0 { -1.0 } else { 1.0 };
        (vector.iter().map(|x| x * scale).collect(), if total > 0.0 { value.max(0.0) / total } else { 0.0 })
    };
    let ((x, share_x), (y, share_y)) = (component(0), component(1));
    (x.into_iter().zip(y).map(|(x, y)| [x, y]).collect(), [share_x, share_y])
}

/// Eigenvalues and eigenvectors of a symmetric matrix, by Jacobi's rotations (Golub & Van Loan, section 8.5).
fn eigenvectors(mut a: Vec<Vec<f64>>) -> Vec<(f64, Vec<f64>)> {
    const SWEEPS: usize = 50;
    let size = a.len();
    let mut vectors: Vec<Vec<f64>> =
        (0..size).map(|i| (0..size).map(|j| if i == j { 1.0 } else { 0.0 }).collect()).collect();
    let scale: f64 = a.iter().flatten().map(|x| x * x).sum();
    for _ in 0..SWEEPS {
        let off: f64 =
            (0..size).flat_map(|p| (0..p).map(move |q| (p, q))).map(|(p, q)| a[p][q].powi(2)).sum();
        if off <= 1e-22 * scale {
            break;
        }
        for p in 0..size {
            for q in p + 1..size {
                if a[p][q] == 0.0 {
                    continue;
                }
                let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
                let tangent = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
                let cosine = 1.0 / (tangent * tangent + 1.0).sqrt();
                let sine = tangent * cosine;
                for row in a.iter_mut().chain(&mut vectors) {
                    (row[p], row[q]) = (cosine * row[p] - sine * row[q], sine * row[p] + cosine * row[q]);
                }
                let (above, below) = a.split_at_mut(q);
                for (x, y) in above[p].iter_mut().zip(&mut below[0]) {
                    (*x, *y) = (cosine * *x - sine * *y, sine * *x + cosine * *y);
                }
            }
        }
    }
    (0..size).map(|i| (a[i][i], vectors.iter().map(|row| row[i]).collect())).collect()
}

/// The vectors that tell positions apart: `wpe`, [n_positions, n_embd].
#[derive(Clone, Debug)]
pub struct Positions {
    rows: Vec<Vec<f32>>,
}

/// More rows or columns of a heat map are smaller than what can be told apart.
const MOST_ROWS: usize = 128;
const MOST_COORDINATES: usize = 64;

impl Positions {
    pub fn new(model: &Model) -> Positions {
        let row = |position: usize| model.gpt2().position_embedding(position).to_vec();
        Positions { rows: (0..model.config().n_positions).map(row).collect() }
    }

    pub fn count(&self) -> usize {
        self.rows.len()
    }

    /// Positions at equal distances, the first included, at most so many.
    fn some(&self, most: usize) -> impl Iterator<Item = (usize, &[f32])> {
        let step = self.rows.len().div_ceil(most).max(1);
        self.rows.iter().map(Vec::as_slice).enumerate().step_by(step)
    }

    /// Some positions: how long their vectors are, and how much they are like the next one and the first.
    pub fn table(&self) -> Table {
        let columns = ["position", "length", "cosine to the next", "cosine to the first"].map(Column::right);
        let row = |(position, row): (usize, &[f32])| {
            let next = self.rows.get(position + 1).map(|next| cosine(row, next));
            let length = row.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
            [position.into(), Cell::Number(length), next.into(), cosine(row, &self.rows[0]).into()]
        };
        Table::new(columns).rows(self.some(16).map(row)).note(format!(
            "of {} positions, {} coordinates each",
            self.rows.len(),
            self.rows[0].len()
        ))
    }

    /// Positions × the coordinates that vary most.
    pub fn chart(&self) -> Chart {
        let count = self.rows.len() as f64;
        let variance = |column: usize| {
            let all = || self.rows.iter().map(move |row| f64::from(row[column]));
            let mean = all().sum::<f64>() / count;
            all().map(|x| (x - mean).powi(2)).sum::<f64>()
        };
        let mut order: Vec<(usize, f64)> =
            (0..self.rows[0].len()).map(|column| (column, variance(column))).collect();
        order.sort_by(|a, b| b.1.total_cmp(&a.1));
        let shown: Vec<usize> = order.into_iter().take(MOST_COORDINATES).map(|(column, _)| column).collect();
        let row = |column: &usize| -> Vec<Option<f64>> {
            self.some(MOST_ROWS).map(|(_, row)| Some(f64::from(row[*column]))).collect()
        };
        let values: Vec<_> = shown.iter().map(row).collect();
        // A few values of the first position are so large that all others would look alike.
        let mut sizes: Vec<f64> = values.iter().flatten().flatten().map(|x| x.abs()).collect();
        sizes.sort_by(f64::total_cmp);
        let most = sizes[(sizes.len() - 1) * 99 / 100];
        HeatMap {
            title: "Position embeddings".to_owned(),
            subtitle: Some(format!("the {} coordinates that vary most, the liveliest first", shown.len())),
            row_name: "coordinate".to_owned(),
            column_name: "position".to_owned(),
            rows: shown.iter().map(usize::to_string).collect(),
            columns: self.names(),
            values,
            unit: "value; 1 % lie beyond the ends".to_owned(),
            range: (-most, most),
            ..HeatMap::default()
        }
        .into()
    }

    /// Positions × positions: the cosine of their vectors.
    pub fn similarity(&self) -> Chart {
        let row = |(_, row): (usize, &[f32])| -> Vec<Option<f64>> {
            self.some(MOST_ROWS).map(|(_, other)| Some(cosine(row, other))).collect()
        };
        let values: Vec<_> = self.some(MOST_ROWS).map(row).collect();
        let least = values.iter().flatten().flatten().copied().fold(0.0, f64::min);
        HeatMap {
            title: "How much alike positions are".to_owned(),
            subtitle: Some("the cosine of their embeddings: 1 is the same direction".to_owned()),
            row_name: "position".to_owned(),
            column_name: "position".to_owned(),
            rows: self.names(),
            columns: self.names(),
            values,
            unit: "cosine".to_owned(),
            range: (least, 1.0),
            ..HeatMap::default()
        }
        .into()
    }

    fn names(&self) -> Vec<String> {
        self.some(MOST_ROWS).map(|(position, _)| position.to_string()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_on_a_plane_keep_their_distances() {
        // A rectangle of 4 × 2, lying askew in three dimensions.
        let corner = |x: f32, y: f32| vec![0.6 * x + 1.0, 0.8 * x - 2.0, y + 5.0];
        let rows = [corner(0.0, 0.0), corner(4.0, 0.0), corner(0.0, 2.0), corner(4.0, 2.0)];
        let rows: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
        let (places, explained) = principal_components(&rows);
        for place in &places {
            assert!((place[0].abs() - 2.0).abs() < 1e-5 && (place[1].abs() - 1.0).abs() < 1e-5, "{places:?}");
        }
        assert!((explained[0] - 0.8).abs() < 1e-6 && (explained[1] - 0.2).abs() < 1e-6);
    }

    #[test]
    fn points_in_one_place_have_a_map_too() {
        let (places, explained) = principal_components(&[&[1.0, 2.0], &[1.0, 2.0], &[1.0, 2.0]]);
        assert!(places.iter().flatten().all(|x| *x == 0.0) && explained == [0.0, 0.0]);
    }
}
