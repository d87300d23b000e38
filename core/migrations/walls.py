"""What every table of a merchant gets: the wall between tenants, and no more rights than the application needs."""


def walled(name: str, rights: str = "SELECT, INSERT, UPDATE") -> str:
    """The statements that put a table with a ``merchant_id`` behind the tenants' wall and give the application rights."""
    return f"""
        ALTER TABLE {name} ENABLE ROW LEVEL SECURITY;
        CREATE POLICY own_merchant ON {name} TO holdfast_app USING
            (merchant_id = (SELECT nullif(current_setting('holdfast.merchant_id', true), '')::bigint));
        GRANT {rights} ON {name} TO holdfast_app;
    """
