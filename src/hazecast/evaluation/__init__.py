"""Evaluation of the model on the past of a dataset: the backtest, its verification and its reports."""
