"""ListTasks: filters, orders and the SQL that finds a page of tasks."""
