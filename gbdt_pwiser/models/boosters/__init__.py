"""LightGBM and XGBoost behind the protocol of models."""
