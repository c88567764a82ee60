"""The part of SQL that a query about data may be written in: what is not listed is refused.

A list of what is forbidden would age with every release of the query engine.
"""

from sqlglot import exp

SYNTAX: frozenset[type[exp.Expr]] = frozenset({
    exp.Select, exp.Union, exp.Except, exp.Intersect, exp.Subquery, exp.With, exp.CTE, exp.From, exp.Join, exp.Table,
    exp.TableAlias, exp.Column, exp.Identifier, exp.Alias, exp.Star, exp.Literal, exp.Null, exp.Boolean, exp.Var,
    exp.Where, exp.Group, exp.Having, exp.Qualify, exp.Order, exp.Ordered, exp.Limit, exp.Offset, exp.Distinct,
    exp.Paren, exp.Tuple, exp.In, exp.Between, exp.Exists, exp.Like, exp.ILike, exp.Escape, exp.Is, exp.Not, exp.Neg,
    exp.And, exp.Or, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ,
    exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.DPipe, exp.Case, exp.If, exp.Cast, exp.TryCast,
    exp.DataType, exp.DataTypeParam, exp.Interval, exp.IntervalSpan, exp.Window, exp.WindowSpec, exp.Filter,
    exp.WithinGroup, exp.IgnoreNulls, exp.RespectNulls,
})  # fmt: skip

# Neither the clock nor chance is among them: the same data give the same answer.
FUNCTIONS: frozenset[type[exp.Expr]] = frozenset({
    exp.Sum, exp.Avg, exp.Count, exp.CountIf, exp.Min, exp.Max, exp.Median, exp.Mode, exp.Quantile, exp.PercentileCont,
    exp.PercentileDisc, exp.Stddev, exp.StddevSamp, exp.StddevPop, exp.Variance, exp.VariancePop, exp.Corr,
    exp.CovarSamp, exp.CovarPop, exp.RegrSlope, exp.RegrIntercept, exp.RegrR2, exp.ArgMax, exp.ArgMin, exp.First,
    exp.Last, exp.AnyValue, exp.ApproxDistinct, exp.LogicalAnd, exp.LogicalOr,
    exp.RowNumber, exp.Rank, exp.DenseRank, exp.PercentRank, exp.CumeDist, exp.Ntile, exp.Lag, exp.Lead,
    exp.FirstValue, exp.LastValue, exp.NthValue,
    exp.Abs, exp.Round, exp.Floor, exp.Ceil, exp.Trunc, exp.Sign, exp.Sqrt, exp.Pow, exp.Exp, exp.Ln, exp.Log,
    exp.Greatest, exp.Least, exp.Coalesce, exp.Nullif,
    exp.Upper, exp.Lower, exp.Trim, exp.Length, exp.Substring, exp.Left, exp.Right, exp.Replace, exp.Contains,
    exp.StartsWith, exp.EndsWith, exp.StrPosition, exp.SplitPart, exp.Concat, exp.ConcatWs, exp.RegexpLike,
    exp.RegexpExtract,
    exp.Extract, exp.Year, exp.Quarter, exp.Month, exp.Week, exp.Day, exp.DayOfWeek, exp.DayOfMonth, exp.DayOfYear,
    exp.DateTrunc, exp.TimestampTrunc, exp.DateDiff, exp.DateAdd, exp.DateSub, exp.DateFromParts, exp.LastDay,
    exp.Monthname, exp.Dayname, exp.TimeToStr, exp.Date,
})  # fmt: skip

# Functions of the query engine that the parser has no class for.
NAMES = frozenset({"date_part", "isodow", "mad", "quantile_disc", "kurtosis", "skewness", "bool_and", "bool_or"})

_Type = exp.DataType.Type
TYPES = frozenset({
    _Type.TINYINT, _Type.SMALLINT, _Type.INT, _Type.BIGINT, _Type.INT128, _Type.FLOAT, _Type.DOUBLE, _Type.DECIMAL,
    _Type.VARCHAR, _Type.TEXT, _Type.DATE, _Type.TIMESTAMP, _Type.BOOLEAN, _Type.INTERVAL,
})  # fmt: skip


def name_of(node: exp.Expr) -> str:
    """Return what a part of a query is called in a fault: a function as it is written, syntax by its kind."""
    if isinstance(node, exp.Anonymous):
        return f"the function {node.name.lower()}"
    if isinstance(node, exp.Func):
        return f"the function {node.sql_name().lower()}"
    return f"what the parser calls {type(node).__name__}"
